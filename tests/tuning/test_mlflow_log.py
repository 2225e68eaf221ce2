"""A study in MLflow: one run for it and a nested run for each trial, in real stores."""

import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
from optuna.trial import TrialState
from support.mlflow_runs import metric_history, runs_by_name
from support.studies import ALL, BASELINE, BEST, KILLED, PRUNED, WORSE, study

from modelyard.core.processes import this_process
from modelyard.tracking import nested_runs, queries
from modelyard.tuning import mlflow_log


def test_a_study_is_a_run_with_its_trials_as_nested_runs(tracked_project: Path) -> None:
    mlflow_log.write(study(*ALL))
    runs = runs_by_name(tracked_project)
    whole = runs.pop("study digits_cnn")
    assert set(runs) == {f"trial {number}" for number in range(6)}
    assert {run.data.tags["mlflow.parentRunId"] for run in runs.values()} == {whole.info.run_id}
    assert whole.data.params["experiment"] == "digits_cnn"
    assert whole.data.params["search_space.training.epochs"] == '{"low": 2, "high": 6, "step": null, "log": false}'
    assert metric_history(tracked_project, whole, "best_score") == [(0, 0.9), (1, 0.94), (5, 0.94)]
    assert metric_history(tracked_project, whole, "score") == [(0, 0.9), (1, 0.94), (5, 0.8)]
    expected = {"trials_finished": 3, "trials_pruned": 1, "trials_failed": 2, "epochs_spared": 4}
    assert expected.items() <= whole.data.metrics.items()
    assert not any(name.startswith("gain") for name in whole.data.metrics), "one seed shows none"


def test_a_trials_run_has_its_settings_learning_curve_state_and_duration(tracked_project: Path) -> None:
    mlflow_log.write(study(*ALL))
    runs = runs_by_name(tracked_project)
    assert [runs[f"trial {number}"].info.status for number in range(6)] == [
        "FINISHED", "FINISHED", "KILLED", "FAILED", "FAILED", "FINISHED"
    ]  # fmt: skip
    best = runs["trial 1"]
    assert best.data.params == {
        "model.filters": "[16, 32]",
        "training.epochs": "5",
        "training.learning_rate": "0.01",
    }
    history = metric_history(tracked_project, best, "val_accuracy")
    assert history == [(1, 0.81), (2, 0.88), (3, 0.91), (4, 0.93), (5, 0.94)]
    assert best.info.end_time - best.info.start_time == 10_000
    assert best.data.metrics["seconds"] == 10
    assert best.data.metrics["score"] == 0.94
    assert "score" not in runs["trial 2"].data.metrics, "a pruned trial has none"
    assert runs["trial 3"].data.tags["error"] == "MemoryError: no room for 4 GB"
    assert "error" not in runs["trial 2"].data.tags, "a pruned trial has not failed"


def test_logged_again_nothing_is_doubled_and_new_trials_are_added(tracked_project: Path) -> None:
    searched = study(BASELINE, PRUNED)
    for _ in range(2):
        mlflow_log.write(searched)
    before = runs_by_name(tracked_project)
    searched.add_trials([WORSE, BEST])
    mlflow_log.write(searched)
    after = runs_by_name(tracked_project)
    assert after.keys() - before.keys() == {"trial 2", "trial 3"}
    assert {name: after[name].info.run_id for name in before} == {name: run.info.run_id for name, run in before.items()}
    history = metric_history(tracked_project, after["trial 0"], "val_accuracy")
    assert history == [(1, 0.8), (2, 0.85), (3, 0.88), (4, 0.9)]
    assert metric_history(tracked_project, after["study digits_cnn"], "best_score") == [(0, 0.9), (2, 0.9), (3, 0.94)]


@pytest.mark.parametrize("meanwhile", ["nothing", "shown as failed"])
def test_runs_of_a_killed_writer_are_completed(
    meanwhile: str, tracked_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched, gone = study(BASELINE, BEST), this_process().rpartition(":")[0] + ":1"
    complete, calls = nested_runs._complete, []

    def cut_short(*given: object) -> None:
        calls.append(given)
        if len(calls) == 2:
            raise ConnectionError("the store has gone")
        complete(*given)

    monkeypatch.setattr(nested_runs, "_complete", cut_short)
    mlflow_log.write(searched)
    assert {name: run.info.status for name, run in runs_by_name(tracked_project).items()} == {
        "study digits_cnn": "RUNNING",
        "trial 0": "FINISHED",
        "trial 1": "RUNNING",
    }
    monkeypatch.setattr(nested_runs, "_complete", complete)
    if meanwhile == "shown as failed":
        for run in runs_by_name(tracked_project).values():
            mlflow.MlflowClient().set_tag(run.info.run_id, "process", gone)
        assert set(queries.fail_dead_runs()) == {"study digits_cnn", "trial 1"}
    mlflow_log.write(searched)
    runs = runs_by_name(tracked_project)
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert {name for name, run in runs.items() if "error" in run.data.tags} == set()
    assert runs["trial 1"].data.metrics["val_accuracy"] == 0.94


def test_trials_that_have_not_ended_are_not_logged(tracked_project: Path) -> None:
    searched = study(BASELINE)
    searched.ask()
    searched.enqueue_trial(BEST.params)
    mlflow_log.write(searched)
    assert set(runs_by_name(tracked_project)) == {"study digits_cnn", "trial 0"}


def test_a_second_study_of_a_name_is_another_run(tracked_project: Path) -> None:
    for name in ("digits_cnn", "digits_cnn-2"):
        mlflow_log.write(study(BASELINE, name=name))
    client = mlflow.MlflowClient(f"sqlite:///{tracked_project / 'mlflow.db'}")
    names = [run.info.run_name for run in client.search_runs(["1"])]
    assert sorted(names) == ["study digits_cnn", "study digits_cnn-2", "trial 0", "trial 0"]


def test_the_report_is_an_artifact_of_the_study(tracked_project: Path, tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "report.md").write_text("# Study")
    mlflow_log.write(study(BASELINE), tmp_path / "reports")
    client = mlflow.MlflowClient(f"sqlite:///{tracked_project / 'mlflow.db'}")
    (file,) = client.list_artifacts(runs_by_name(tracked_project)["study digits_cnn"].info.run_id, "report")
    assert file.path == "report/report.md"


def test_an_unreachable_store_warns_once_and_stops_nothing(
    tracked_project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    (tracked_project / "a_file").touch()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tracked_project}/a_file/no_folder/mlflow.db")
    mlflow_log.write(study(BASELINE))
    warnings = [line for line in capfd.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 1


@pytest.mark.parametrize("trials", [(), (KILLED,)])
def test_a_study_without_an_ended_trial_is_not_logged(trials: tuple, tracked_project: Path) -> None:
    searched = study(*trials)
    searched.enqueue_trial(BEST.params)
    mlflow_log.write(searched)
    states = [trial.state for trial in searched.trials]
    expected = {"study digits_cnn", "trial 0"} if TrialState.FAIL in states else set()
    assert set(runs_by_name(tracked_project)) == expected


def test_with_tracking_off_nothing_is_written_and_mlflow_is_not_imported(tmp_path: Path, environment: dict) -> None:
    code = (
        "import sys\nsys.path.insert(0, sys.argv[1])\nfrom support.studies import BASELINE, study\n"
        "from modelyard.tuning import mlflow_log\nmlflow_log.write(study(BASELINE))\nprint('mlflow' in sys.modules)"
    )
    arguments = [sys.executable, "-c", code, str(Path(__file__).parents[1])]
    done = subprocess.run(arguments, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"
    assert list(tmp_path.iterdir()) == []
