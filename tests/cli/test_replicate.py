"""`modelyard replicate` in a clone, and what it refuses."""

import json
import re
import shutil
from collections.abc import Callable
from contextlib import closing
from io import StringIO
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from rich.console import Console
from support.commands import modelyard
from support.engines import Here
from support.paths import ROOT
from support.pipelines import Run
from support.replications import replicated_project, series_of
from support.tables import assert_fits
from typer.testing import Result

from modelyard import params
from modelyard.cli import replicate
from modelyard.cli.replicate import _assess, _claim_table, _reported_runs, _summary_table
from modelyard.replication import claims
from modelyard.replication.paired_runs import FROM_REPORT, PairedRuns

RunHere = Callable[..., Result]


@pytest.fixture
def run_here(linear_clone: Path, monkeypatch: pytest.MonkeyPatch) -> RunHere:
    """Runs the command in `linear_clone` and in this process, trainings included: `replicated` has run it for real."""
    monkeypatch.chdir(linear_clone)
    monkeypatch.setattr(replicate, "open_engine", lambda *_: closing(Here()))
    return modelyard


def claim_entry(folder: Path) -> dict[str, Any]:
    """The entry of the claim in reports/claims.json."""
    return json.loads((folder / "reports" / "claims.json").read_text())["claims"]["fewer_samples"]


def finished_runs(output: str) -> int:
    """How many runs, of either side of the claim, the command has done."""
    return len(re.findall(r"✓ diabetes_linear.* seed \d+ ", output))


def test_a_claim_is_tested_and_written(replicated: tuple[Path, str]):
    folder, output = replicated
    assert finished_runs(output) == 12
    entry = claim_entry(folder)
    assert (entry["verdict"], entry["pairs"]) == ("holds", 6)
    assert len(set(entry["first"]["values"])) == 6
    assert "| **holds** |" in (folder / "reports" / "claims.md").read_text()


def test_finished_runs_are_not_repeated(run_here: RunHere, linear_clone: Path):
    before = claim_entry(linear_clone)
    again = run_here("replicate")
    assert "seed" not in again.stdout.replace("seeds", "")
    assert claim_entry(linear_clone) == before
    more = run_here("replicate", "diabetes_linear", "--splits", "--seeds", "7")
    assert finished_runs(more.stdout) == 1, "six of these runs are the claim's"
    table = pd.read_csv(linear_clone / "reports" / "replication.csv").set_index("metric")
    assert (table.loc["mae"].seeds, bool(table.loc["mae"].splits)) == (7, True)


def test_a_claim_that_its_first_look_does_not_settle_gets_its_second(run_here: RunHere, linear_clone: Path):
    claims_file = linear_clone / "claims.yaml"
    unsettled = claims_file.read_text().replace("smallest: 10.0", "smallest: 0.001\n  second_look: 8")
    claims_file.write_text(unsettled)
    done = run_here("replicate")
    assert finished_runs(done.stdout) == 4, "the six pairs of the first look are kept"
    entry = claim_entry(linear_clone)
    assert (entry["verdict"], entry["pairs"]) == ("inconclusive", 8)
    claims_file.write_text(unsettled.replace("smallest: 0.001", "smallest: 20.0"))
    again = run_here("replicate")
    assert "✓" not in again.stdout
    assert claim_entry(linear_clone)["verdict"] == "holds"


def test_a_claim_that_is_stopped_between_its_looks_keeps_the_reported_runs(run_here: RunHere, linear_clone: Path):
    claims_file, report = linear_clone / "claims.yaml", linear_clone / "reports" / "claims.json"
    claims_file.write_text(claims_file.read_text().replace("smallest: 10.0", "smallest: 0.001\n  second_look: 18"))
    content = json.loads(report.read_text())
    for side in ("first", "second"):
        content["claims"]["fewer_samples"][side]["values"] *= 3
    report.write_text(json.dumps(content))
    done = run_here("replicate", "--minutes", "0")
    assert "so that the reports keep the earlier runs: fewer_samples." in done.stdout
    assert claim_entry(linear_clone)["pairs"] == 18


def test_a_claim_on_request_is_trained_only_where_it_is_named(run_here: RunHere, linear_clone: Path):
    claims_file = linear_clone / "claims.yaml"
    claims_file.write_text(claims_file.read_text().replace("smallest:", "on_request: true\n  smallest:"))
    shutil.rmtree(linear_clone / ".modelyard")
    done = run_here("replicate")
    assert "✓" not in done.stdout
    assert finished_runs(run_here("replicate", "fewer_samples").stdout) == 12


def test_a_crossed_claim_is_about_samples_of_this_kind(run_here: RunHere, linear_clone: Path):
    before = claim_entry(linear_clone)
    claims_file = linear_clone / "claims.yaml"
    claims_file.write_text(claims_file.read_text().replace("splits: true", "crossed: true"))
    done = run_here("replicate")
    assert finished_runs(done.stdout) == 12, done.stdout
    entry = claim_entry(linear_clone)
    assert (entry["pairs"], entry["scope"], before["scope"]) == (6, "samples of this kind", "samples of this kind")
    assert entry["sample_variance"] > 0
    assert entry["difference"]["sd"] == pytest.approx(0, abs=1e-9), "a least-squares fit has no seed"
    assert entry["difference"]["low"] < entry["difference"]["mean"] < entry["difference"]["high"]


def test_results_stay_in_the_reports_where_their_runs_are_not_kept(run_here: RunHere, linear_clone: Path):
    table, before = linear_clone / "reports" / "replication.csv", claim_entry(linear_clone)
    lines = table.read_text().splitlines()
    shutil.rmtree(linear_clone / ".modelyard")
    done = run_here("replicate", "diabetes_linear", "--seeds", "2")
    assert "Claims not run" not in done.stdout
    assert claim_entry(linear_clone) == before | {"origin": FROM_REPORT}
    assert set(lines) < set(table.read_text().splitlines())


def test_the_reports_keep_a_replication_until_a_new_one_has_as_many_seeds(run_here: RunHere, linear_clone: Path):
    table, before = linear_clone / "reports" / "replication.csv", claim_entry(linear_clone)
    rows = table.read_text()
    kept = sorted((linear_clone / ".modelyard" / "replication").rglob("*.json"), key=lambda file: int(file.stem))
    for file in kept[4:]:  # a replication that was stopped after two seeds of each side
        file.unlink()
    done = run_here("replicate", "--minutes", "0")
    assert "8 of 8 runs are left" in done.stdout
    assert "so that the reports keep the earlier runs: fewer_samples." in done.stdout
    assert "keeps the 6 seeds that it has of diabetes_linear, which are more than 2" in done.stderr
    assert claim_entry(linear_clone) == before | {"origin": FROM_REPORT}
    assert table.read_text() == rows


def test_runs_of_another_comparison_do_not_leave_the_report_in_silence(run_here: RunHere, linear_clone: Path):
    claims_file = linear_clone / "claims.yaml"
    claims_file.write_text(claims_file.read_text().replace("metric: mae", "metric: mse"))
    shutil.rmtree(linear_clone / ".modelyard")
    done = run_here("replicate", "--minutes", "0")
    assert "has runs of another comparison" in done.stderr
    assert "Claims not run: fewer_samples." in done.stdout


@pytest.mark.slow
def test_runs_over_seeds_are_in_mlflow_and_do_not_change_the_result_of_a_claim(run_linear: Run, linear_clone: Path):
    before = claim_entry(linear_clone)
    done = run_linear("replicate", "diabetes_linear", "--seeds", "2", MODELYARD_TRACKING="on")
    assert done.returncode == 0, done.stdout + done.stderr
    client = mlflow.MlflowClient(f"sqlite:///{linear_clone / 'mlflow.db'}")
    (experiment,) = [each for each in client.search_experiments() if each.name == "modelyard"]
    runs = client.search_runs([experiment.experiment_id])
    assert sorted(run.info.run_name for run in runs) == [
        "diabetes_linear seed 777",
        "diabetes_linear seed 778",
        "diabetes_linear, over seeds",
    ]
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert claim_entry(linear_clone) == before


def test_without_time_the_number_of_runs_that_are_left_is_printed(run_here: RunHere):
    done = run_here("replicate", "diabetes_linear", "--minutes", "0")
    assert "5 of 5 runs are left; run again to continue." in done.stdout


def test_once_the_time_is_over_no_run_begins_and_the_number_that_is_left_is_printed(run_here: RunHere):
    done = run_here("replicate", "diabetes_linear", "--minutes", "0.0001")
    assert "The time of --minutes is over: no run begins any more." in done.stdout
    assert "5 of 5 runs are left; run again to continue." in done.stdout


def test_the_number_of_runs_is_printed_before_anything_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    console, printed_first = Console(file=StringIO(), width=80), []
    linear = series_of(replicated_project(tmp_path), "linear")
    monkeypatch.setattr(replicate, "RAW", tmp_path / "raw")
    monkeypatch.setattr(replicate, "open_engine", lambda *_: closing(Here()))
    monkeypatch.setattr(replicate, "run_stages", lambda *_: printed_first.append(console.file.getvalue()) or {})
    for seeds in (2, 3, 3):
        assert replicate.train_all([(linear, seeds)], tmp_path / "kept", console) == 0
    lines = [line for line in console.file.getvalue().splitlines() if "✓" not in line]
    assert lines == ["Runs to do: 2; kept from before: 0.", "Runs to do: 1; kept from before: 2."]
    assert printed_first[0].splitlines() == lines[:1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("boston_mpl",), "no such experiment or claim: boston_mpl; did you mean boston_mlp?"),
        (("drop_out",), "did you mean dropout?"),
        (("cifar10_vgg16",), "starts from pretrained weights"),
        (("mnist_mlp", "--splits"), "not drawn at random"),
        (("dropout", "--splits"), "--splits is for experiments"),
        (("stride", "--seeds", "12"), "stride plans two looks"),
        (("dropout", "boston_mlp", "--seeds", "7"), "--seeds 7: dropout plans 8, and a test before that would be"),
    ],
)
@pytest.mark.usefixtures("project")
def test_a_wrong_name_or_option_is_refused_before_anything_is_run(arguments: tuple[str, ...], message: str):
    result = modelyard("replicate", *arguments)
    assert result.exit_code == 1
    assert message in result.output


def test_a_wrong_claim_is_refused_before_anything_is_run(project: Path):
    claims = project / "claims.yaml"
    claims.write_text(claims.read_text().replace("metric: gap", "metric: gpa", 1))
    result = modelyard("replicate", "boston_mlp")
    assert result.exit_code == 1
    assert "error: claims.yaml has a mistake; nothing was run.\n  dropout.metric (line " in result.output
    assert not (project / "reports").exists()


@pytest.mark.parametrize("content", ["", "[]", '{"claims": [1]}', '{"claims": {"fewer_samples": {"says": 1}}}'])
@pytest.mark.usefixtures("project")
def test_reported_claims_that_are_not_readable_count_as_not_run(content: str, tmp_path: Path):
    Path("reports").mkdir()
    Path("reports/claims.json").write_text(content)
    project = params.load()
    declared = params.load_claims(project)
    name = next(iter(declared))
    if "fewer_samples" in content:
        Path("reports/claims.json").write_text(content.replace("fewer_samples", name))
    results = _assess(project, declared, tmp_path / "kept", {})
    assert not len(results[name].pairs.first)


def test_its_tables_fit_a_terminal_of_80_columns():
    project = params.load(ROOT / "params.yaml")
    declared = params.load_claims(project, ROOT / "claims.yaml")
    reported = json.loads((ROOT / "reports" / "claims.json").read_text())["claims"]
    nothing = PairedRuns((), ())
    pairs = {name: _reported_runs(project, claim, reported.get(name), nothing) for name, claim in declared.items()}
    assert_fits(_claim_table(claims.assess(declared, pairs)))
    assert_fits(_summary_table(pd.read_csv(ROOT / "reports" / "replication.csv")))
