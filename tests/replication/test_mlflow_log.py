"""Replications in MLflow: a run per series and a child run per seed, in real stores."""

import os
from pathlib import Path

import pytest
from support.mlflow_runs import metric_history, runs_by_name, runs_in
from support.paths import ROOT

from modelyard import params
from modelyard.core.files import write_json
from modelyard.params.variants import resolve
from modelyard.replication import mlflow_log
from modelyard.replication.series import Series

ENDED = 1_800_000_000  # seconds since 1970
CHANGES = {"training.epochs": 5, "scaling": "standard"}


def series(name: str = "boston_mlp", splits: bool = False, **changes: object) -> Series:
    project = params.load(ROOT / "params.yaml")
    return Series(name, resolve(project, name, changes), project.runtime, splits, changes)


def keep(each: Series, kept: Path, *correlations: float) -> None:
    """Write the files of so many runs."""
    for number, correlation in enumerate(correlations):
        job = each.job(number, kept)
        metrics = {"correlation": correlation, "mae": 3.0, "val_mae": 2.5, "gap": 0.1}
        write_json(job.file, {"experiment": each.experiment, "seed": job.resolved.seed, "metrics": metrics,
                              "epochs": 100, "seconds": 4.0})  # fmt: skip
        os.utime(job.file, (ENDED + number, ENDED + number))


def test_a_series_is_a_run_with_a_child_run_per_seed(tracked_project: Path) -> None:
    keep(series(), tracked_project / "kept", 0.7, 0.8, 0.9)
    mlflow_log.write([series()], tracked_project / "kept")
    runs = runs_by_name(tracked_project)
    parent = runs.pop("boston_mlp, over seeds")
    assert set(runs) == {"boston_mlp seed 777", "boston_mlp seed 778", "boston_mlp seed 779"}
    assert {run.data.tags["mlflow.parentRunId"] for run in runs.values()} == {parent.info.run_id}
    expected = {"test_correlation_mean": 0.8, "test_correlation_sd": 0.1, "test_mae_sd": 0.0, "val_mae_mean": 2.5}
    assert expected == pytest.approx({name: parent.data.metrics[name] for name in expected})
    assert parent.data.metrics["test_correlation_low"] < 0.8 < parent.data.metrics["test_correlation_high"]
    assert parent.data.tags["mlflow.note.content"].startswith(
        "test_correlation over 3 seeds: mean 0.8, 95 % interval 0."
    )


def test_a_run_that_diverged_has_failed_and_the_series_has_no_statistics_of_its_metrics(tracked_project: Path) -> None:
    keep(series(), tracked_project / "kept", 0.7, 0.8)
    content = {"experiment": "boston_mlp", "seed": 779, "metrics": {"correlation": None}, "seconds": 1.0}
    write_json(series().job(2, tracked_project / "kept").file, content | {"diverged": "the loss became nan"})
    mlflow_log.write([series()], tracked_project / "kept")
    runs = runs_by_name(tracked_project)
    diverged, parent = runs["boston_mlp seed 779"], runs["boston_mlp, over seeds"]
    assert (diverged.info.status, diverged.data.tags["error"]) == ("FAILED", "the loss became nan")
    assert parent.data.tags["mlflow.note.content"].startswith("1 of 3 trainings diverged")
    assert "test_correlation_mean" not in parent.data.metrics


def test_a_run_has_its_settings_metrics_and_duration(tracked_project: Path) -> None:
    keep(series(**CHANGES), tracked_project / "kept", 0.7, 0.8)
    mlflow_log.write([series(**CHANGES)], tracked_project / "kept")
    run = runs_by_name(tracked_project)["boston_mlp seed 778"]
    expected = {"training.seed": "778", "training.epochs": "5", "input": "boston", "input.scaling": "standard"}
    assert expected.items() <= run.data.params.items()
    assert run.data.metrics == {
        "test_correlation": 0.8, "test_mae": 3.0, "val_mae": 2.5, "gap": 0.1, "epochs": 100, "seconds": 4,
    }  # fmt: skip
    assert (run.info.status, run.info.end_time) == ("FINISHED", (ENDED + 1) * 1000)
    assert run.info.end_time - run.info.start_time == 4000


def test_series_of_one_experiment_are_separate_runs(tracked_project: Path) -> None:
    wanted = [series(), series(**CHANGES), series(splits=True)]
    for each in wanted:
        keep(each, tracked_project / "kept", 0.7)
    mlflow_log.write(wanted, tracked_project / "kept")
    runs = runs_in(tracked_project)
    assert {run.info.run_name for run in runs if "mlflow.parentRunId" not in run.data.tags} == {
        "boston_mlp, over seeds",
        "boston_mlp with training.epochs 5, scaling standard, over seeds",
        "boston_mlp, each with its own split, over seeds",
    }
    seeds = {run.data.params["input.split.test_seed"] for run in runs}
    assert seeds == {"777"}, "the first seeds are those of params.yaml"


def test_the_settings_of_the_backbone_of_a_transfer_are_logged(tracked_project: Path) -> None:
    transfer = series("mnist_transfer", **{"backbone.training.epochs": 1})
    job = transfer.job(0, tracked_project / "kept")
    write_json(job.file, {"experiment": "mnist_transfer", "seed": 777, "metrics": {"accuracy": 0.9},
                          "epochs": 1, "seconds": 1.0})  # fmt: skip
    mlflow_log.write([transfer], tracked_project / "kept")
    assert runs_by_name(tracked_project)["mnist_transfer seed 777"].data.params["backbone.training.epochs"] == "1"


def test_writing_again_adds_new_seeds_and_no_duplicates(tracked_project: Path) -> None:
    keep(series(), tracked_project / "kept", 0.7, 0.8)
    for _ in range(2):
        mlflow_log.write([series(), series()], tracked_project / "kept")
    before = runs_by_name(tracked_project)
    keep(series(), tracked_project / "kept", 0.7, 0.8, 0.9)
    mlflow_log.write([series()], tracked_project / "kept")
    after = runs_by_name(tracked_project)
    assert after.keys() - before.keys() == {"boston_mlp seed 779"}
    assert {name: after[name].info.run_id for name in before} == {name: run.info.run_id for name, run in before.items()}
    means = metric_history(tracked_project, after["boston_mlp, over seeds"], "test_correlation_mean")
    assert means == [(2, pytest.approx(0.75)), (3, pytest.approx(0.8))]


def test_a_series_without_runs_is_not_logged(tracked_project: Path) -> None:
    mlflow_log.write([series()], tracked_project / "kept")
    assert runs_by_name(tracked_project) == {}


def test_an_unreachable_store_is_one_warning_for_all_series(
    tracked_project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    (tracked_project / "a_file").touch()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tracked_project}/a_file/no_folder/mlflow.db")
    wanted = [series(), series(**CHANGES)]
    for each in wanted:
        keep(each, tracked_project / "kept", 0.7)
    mlflow_log.write(wanted, tracked_project / "kept")
    warnings = [line for line in capfd.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 1
