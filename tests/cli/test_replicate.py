"""`modelyard replicate` in a clone, and what it refuses."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from support.commands import modelyard
from support.pipelines import Run


def test_claims_are_tested_and_a_second_time_nothing_is_run(run_linear: Run, clone: Path):
    first = run_linear("replicate", "--workers", "2")
    assert first.returncode == 0, first.stdout + first.stderr
    assert first.stdout.count("✓ diabetes_linear seed") == 12
    reported = json.loads((clone / "reports" / "claims.json").read_text())["claims"]["scaling"]
    assert (reported["verdict"], reported["pairs"]) == ("holds", 6)
    assert len(set(reported["first"]["values"])) == 6
    assert "| **holds** |" in (clone / "reports" / "claims.md").read_text()
    again = run_linear("replicate")
    assert "seed" not in again.stdout.replace("seeds", "")
    assert json.loads((clone / "reports" / "claims.json").read_text())["claims"]["scaling"] == reported
    more = run_linear("replicate", "diabetes_linear", "--splits", "--seeds", "7")
    assert more.stdout.count("✓ diabetes_linear seed") == 1, "six of these runs are the claim's"
    table = pd.read_csv(clone / "reports" / "replication.csv").set_index("metric")
    assert (table.loc["mae"].seeds, bool(table.loc["mae"].splits)) == (7, True)
    run_linear("replicate", "diabetes_linear", "--seeds", "2")
    now = json.loads((clone / "reports" / "claims.json").read_text())["claims"]["scaling"]
    assert now == reported, "fewer seeds of an experiment do not change the result of a claim"


def test_results_whose_runs_are_not_kept_here_stay_in_the_reports(run_linear: Run, clone: Path):
    run_linear("replicate", "--workers", "2")
    reports = {name: clone / "reports" / name for name in ("claims.json", "replication.csv")}
    settled = json.loads(reports["claims.json"].read_text())["claims"]["scaling"]
    lines = reports["replication.csv"].read_text().splitlines()
    shutil.rmtree(clone / ".modelyard")
    done = run_linear("replicate", "diabetes_linear", "--seeds", "2")
    assert "Claims not run: scaling." in done.stdout
    reported = json.loads(reports["claims.json"].read_text())["claims"]["scaling"]
    assert reported == settled | {"remark": "settled earlier, not run here"}
    assert set(lines) < set(reports["replication.csv"].read_text().splitlines())


def test_runs_over_seeds_are_in_mlflow(run_linear: Run, clone: Path, environment: dict[str, str]):
    import mlflow

    environment["MODELYARD_TRACKING"] = "on"
    done = run_linear("replicate", "diabetes_linear", "--seeds", "2")
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


def test_without_time_the_number_of_runs_that_are_left_is_printed(run_linear: Run):
    done = run_linear("replicate", "diabetes_linear", "--minutes", "0")
    assert "5 of 5 runs are left; run again to continue." in done.stdout
    assert "Claims not run: scaling." in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("boston_mpl",), "no such experiment or claim: boston_mpl; did you mean boston_mlp?"),
        (("drop_out",), "did you mean dropout?"),
        (("cifar10_vgg16",), "starts from pretrained weights"),
        (("mnist_mlp", "--splits"), "not drawn at random"),
    ],
)
@pytest.mark.usefixtures("project")
def test_a_wrong_name_or_option_is_refused_before_anything_is_run(arguments: tuple[str, ...], message: str):
    result = modelyard("replicate", *arguments)
    assert result.exit_code == 1
    assert message in result.output


def test_a_wrong_claim_is_refused_before_anything_is_run(project: Path):
    claims = project / "claims.yaml"
    claims.write_text(claims.read_text().replace("metric: gap", "metric: gpa"))
    result = modelyard("replicate", "boston_mlp")
    assert result.exit_code == 1
    assert "error: claims.yaml has a mistake; nothing was run.\n  dropout.metric (line " in result.output
    assert not (project / "reports").exists()
