"""`modelyard replicate` and `modelyard explain`, as a person calls them."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML
from support.paths import ROOT
from typer.testing import CliRunner

from modelyard.cli import app

CLAIM = {
    "says": "scaling changes nothing",
    "first": {"experiment": "diabetes_linear"},
    "second": {"experiment": "diabetes_linear", "changes": {"scaling": "minmax"}},
    "metric": "mae",
    "direction": "equal",
    "smallest": 0.01,
    "seeds": 6,
    "splits": True,
}
Run = Callable[..., subprocess.CompletedProcess]


@pytest.fixture
def modelyard(clone: Path, environment: dict[str, str]) -> Run:
    """Runs a command in a clone that holds one experiment and one claim, neither of which needs TensorFlow."""
    yaml = YAML()
    params = yaml.load(clone / "params.yaml")
    for section in ("transfers", "pretrained", "published", "studies"):
        params[section] = {}
    linear = {"input": "diabetes_standard", "model": {"family": "linear"}, "training": {"seed": 777}}
    params["experiments"] = {"diabetes_linear": linear}
    params["claims"] = {"scaling": CLAIM}
    yaml.dump(params, clone / "params.yaml")

    def run(*arguments: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-c", "from modelyard.cli import app; app()", *arguments]
        around = environment | {"PYTHONPATH": str(clone / "src"), "COLUMNS": "200"}
        return subprocess.run(command, cwd=clone, env=around, capture_output=True, text=True, timeout=300)

    return run


def test_claims_are_run_settled_and_written_and_a_second_time_nothing_is_left_to_run(modelyard: Run, clone: Path):
    first = modelyard("replicate", "--workers", "2")
    assert first.returncode == 0, first.stdout + first.stderr
    assert first.stdout.count("✓ diabetes_linear seed") == 12
    told = json.loads((clone / "reports" / "claims.json").read_text())["claims"]["scaling"]
    assert (told["verdict"], told["pairs"]) == ("holds", 6)
    assert len(set(told["first"]["values"])) == 6
    assert "| **holds** |" in (clone / "reports" / "claims.md").read_text()
    again = modelyard("replicate")
    assert "seed" not in again.stdout.replace("seeds", "")
    assert json.loads((clone / "reports" / "claims.json").read_text())["claims"]["scaling"] == told
    more = modelyard("replicate", "diabetes_linear", "--splits", "--seeds", "7")
    assert more.stdout.count("✓ diabetes_linear seed") == 1, "six of these runs are the claim's"
    table = pd.read_csv(clone / "reports" / "replication.csv").set_index("metric")
    assert (table.loc["mae"].seeds, bool(table.loc["mae"].splits)) == (7, True)
    modelyard("replicate", "diabetes_linear", "--seeds", "2")
    now = json.loads((clone / "reports" / "claims.json").read_text())["claims"]["scaling"]
    assert now == told, "fewer seeds of an experiment settle no claim anew"


def test_what_is_not_kept_here_stays_in_the_reports(modelyard: Run, clone: Path):
    modelyard("replicate", "--workers", "2")
    reports = {name: clone / "reports" / name for name in ("claims.json", "replication.csv")}
    settled = json.loads(reports["claims.json"].read_text())["claims"]["scaling"]
    lines = reports["replication.csv"].read_text().splitlines()
    shutil.rmtree(clone / ".modelyard")
    done = modelyard("replicate", "diabetes_linear", "--seeds", "2")
    assert "Claims not run: scaling." in done.stdout
    told = json.loads(reports["claims.json"].read_text())["claims"]["scaling"]
    assert told == settled | {"remark": "settled earlier, not run here"}
    assert set(lines) < set(reports["replication.csv"].read_text().splitlines())


def test_runs_over_seeds_are_in_the_diary(modelyard: Run, clone: Path, environment: dict[str, str]):
    import mlflow

    environment["MODELYARD_TRACKING"] = "on"
    done = modelyard("replicate", "diabetes_linear", "--seeds", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    client = mlflow.MlflowClient(f"sqlite:///{clone / 'mlflow.db'}")
    (experiment,) = [each for each in client.search_experiments() if each.name == "modelyard"]
    runs = client.search_runs([experiment.experiment_id])
    assert sorted(run.info.run_name for run in runs) == [
        "diabetes_linear seed 777",
        "diabetes_linear seed 778",
        "diabetes_linear, over seeds",
    ]
    assert {run.info.status for run in runs} == {"FINISHED"}


def test_when_there_is_no_time_what_is_left_is_told(modelyard: Run):
    done = modelyard("replicate", "diabetes_linear", "--minutes", "0")
    assert "5 of 5 runs are left; run again to go on." in done.stdout
    assert "Claims not run: scaling." in done.stdout


def test_coefficients_and_importances_are_written_and_drawn(modelyard: Run, clone: Path):
    done = modelyard("explain", "diabetes_linear", "--shuffles", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    table = pd.read_csv(clone / "reports" / "explain" / "diabetes.csv")
    assert set(table.measure) == {"coefficient", "importance"}
    assert len(table) == 20
    assert (clone / "reports" / "explain" / "diabetes.png").read_bytes().startswith(b"\x89PNG")
    assert "bmi" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("replicate", "boston_mpl"), "no such experiment or claim: boston_mpl; did you mean boston_mlp?"),
        (("replicate", "drop_out"), "did you mean dropout?"),
        (("replicate", "cifar10_vgg16"), "starts from weights that others trained"),
        (("replicate", "mnist_mlp", "--splits"), "not drawn by chance"),
        (("explain", "boston_liner"), "no such experiment: boston_liner; did you mean boston_linear?"),
        (("explain", "boston_linear", "diabetes_mlp_standard"), "these learn from several data sets"),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is_run(arguments: tuple[str, ...], told: str, monkeypatch):
    monkeypatch.chdir(ROOT)
    done = CliRunner().invoke(app, arguments, env={"COLUMNS": "300"})
    assert done.exit_code == 1
    assert told in done.output
