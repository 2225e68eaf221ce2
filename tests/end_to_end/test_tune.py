"""The stage of searches for real, small, in a clone: left alone by a plain rebuild, the same again, gone on with."""

import json
from pathlib import Path

import pytest
from support.pipelines import SECTIONS, Run, editing_params, keep_only

pytestmark = pytest.mark.slow

STAGE = "studies/dvc.yaml:tune@digits_mlp"
TRIALS = Path("reports", "tuning", "digits_mlp", "trials.csv")


@pytest.fixture
def small(clone: Path, run: Run) -> Path:
    """The clone with one network of two epochs, and a search of three trials on it."""
    with editing_params(clone) as params:
        params["studies"] = {
            "digits_mlp": {
                "experiment": "digits_mlp",
                "search_space": {"model.units": {"choices": [[64, 32], [8]]}, "training.epochs": {"low": 1, "high": 2}},
                "n_trials": 3,
                "pruner": "none",
                "seed": 7,
            }
        }
        keep_only(params, ["digits_mlp"])
        params["experiments"]["digits_mlp"]["training"]["epochs"] = 2
    return clone


def test_a_search_is_a_stage_that_only_its_name_runs_and_that_gives_the_same_bytes_again(small: Path, run: Run) -> None:
    run("dvc", "repro")
    assert not (small / TRIALS).exists()
    run("dvc", "repro", STAGE)
    first = (small / TRIALS).read_bytes()
    assert len(first.splitlines()) == 4
    assert (small / TRIALS.with_name("report.md")).exists()
    assert "didn't change, skipping" in run("dvc", "repro", STAGE).stdout
    run("dvc", "repro", "--force", "--single-item", STAGE)
    assert (small / TRIALS).read_bytes() == first
    journal = (small / ".modelyard" / "studies" / "digits_mlp.journal").read_text().splitlines()
    names = [record["study_name"] for record in map(json.loads, journal) if "study_name" in record]
    assert names == ["digits_mlp", "digits_mlp-2"], "each rebuild begins a study of its own"
    assert {name for name in SECTIONS if (small / name).exists()} == {"pretrained"}
