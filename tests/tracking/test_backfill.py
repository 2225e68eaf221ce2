"""Runs added or completed from result files; end_to_end/test_tracked_rebuild.py does so after a real rebuild."""

import shutil
from pathlib import Path

import mlflow
import pytest
from ruamel.yaml import YAML
from support.mlflow_runs import metric_history, runs_in
from support.replications import replicated_project

from modelyard import models, tracking
from modelyard.core.files import checksum, read_json, write_json
from modelyard.data import inputs, readers
from modelyard.experiments.evaluate import evaluate
from modelyard.experiments.train import train
from modelyard.params.fold_evaluation import FoldEvaluation
from modelyard.params.project import Project
from modelyard.tracking import NullRun
from modelyard.tracking.backfill import NOT_ADDED, backfill
from modelyard.tracking.queries import lineage_of

TRAINING, RESULTS = Path("data/inputs/line/training"), Path("results/linear")
MODEL_MD5 = "1" * 32


@pytest.fixture
def built(project: Path) -> Project:
    """A project whose experiment `linear` was trained and evaluated without tracking, and locked."""
    settings = replicated_project(project)
    dataset = settings.datasets["line"]
    training, test = inputs.prepare(
        readers.read(dataset, project / "raw" / "line"), dataset.task, settings.inputs["line"]
    )
    inputs.save_training(training, TRAINING)
    inputs.save_test(test, TRAINING.with_name("test"))
    run_training(settings, NullRun())
    evaluation = evaluate(models.load(RESULTS / "model"), TRAINING.with_name("test"))
    write_json(RESULTS / "metrics.json", evaluation.metrics)
    write_json(RESULTS / "details.json", evaluation.details)
    (RESULTS / "figures").mkdir()
    lock(MODEL_MD5)
    return settings


def run_training(settings: Project, run: tracking.Run) -> None:
    train(settings.experiments["linear"], settings.runtime, TRAINING, RESULTS / "model", RESULTS / "history.csv", run)


def lock(model_md5: str, **settings: object) -> None:
    """Write dvc.lock as after a rebuild, of a training with these settings; of an earlier version it has none."""
    stages = {
        "train@linear": {
            "cmd": "train",
            "deps": [{"path": "src/a.py", "md5": "a"}, {"path": TRAINING.as_posix(), "md5": "b"}],
            "params": {"params.yaml": settings},
            "outs": [{"path": f"{RESULTS}/model", "md5": model_md5}],
        },
        "evaluate@linear": {
            "cmd": "evaluate",
            "deps": [{"path": f"{RESULTS}/model", "md5": model_md5}],
            "outs": [{"path": f"{RESULTS}/metrics.json", "md5": "c"}],
        },
    }
    YAML().dump({"schema": "2.0", "stages": stages}, Path("dvc.lock"))


def test_results_without_a_run_are_added_from_their_files(project: Path, built: Project) -> None:
    assert backfill(built, ["linear"]) == {"linear": "added from its files"}
    (run,) = runs_in(project)
    tags, metrics = run.data.tags, read_json(RESULTS / "metrics.json")
    assert (run.info.run_name, run.info.status) == ("linear", "FINISHED")
    assert tags["filled_in_from"] == "result files of an earlier training, or of one elsewhere"
    assert lineage_of(run.info.run_id) == {
        "went in": {"src/a.py": "a", f"{TRAINING}": "b"},
        "came out": {f"{RESULTS}/model": MODEL_MD5, f"{RESULTS}/metrics.json": "c"},
    }
    assert {name: run.data.metrics[f"test_{name}"] for name in metrics} == pytest.approx(metrics)
    assert [step for step, _ in metric_history(project, run, "loss")] == [1]
    assert {"model_uri", "model_sha256", "lineage"} <= tags.keys()


def test_the_run_of_the_training_is_completed(project: Path, built: Project) -> None:
    with tracking.training_run("linear") as run:
        run_training(built, run)
    assert backfill(built, ["linear"]) == {"linear": "completed"}
    (run,) = runs_in(project)
    assert "filled_in_from" not in run.data.tags
    assert lineage_of(run.info.run_id)["came out"][f"{RESULTS}/model"] == MODEL_MD5
    assert "test_mae" in run.data.metrics


@pytest.mark.parametrize("change", [{"evaluate": FoldEvaluation(folds=5)}, {"on_request": True}])
def test_a_setting_that_changes_no_model_makes_no_second_run(project: Path, built: Project, change: dict) -> None:
    with tracking.training_run("linear") as run:
        run_training(built, run)
    backfill(built, ["linear"])
    experiment = built.experiments["linear"].model_copy(update=change)
    changed = built.model_copy(update={"experiments": {**built.experiments, "linear": experiment}})
    assert backfill(changed, ["linear"]) == backfill(changed, ["linear"], recheck=False) == {}
    assert len(runs_in(project)) == 1


def test_a_run_with_another_learning_curve_is_left_alone(project: Path, built: Project) -> None:
    with tracking.training_run("linear") as run:
        run_training(built, run)
        run.log_epoch({"epoch": 1, "loss": 99.0})
    assert backfill(built, ["linear"]) == {"linear": "added from its files"}
    assert len(runs_in(project)) == 2


def test_a_run_of_another_model_is_left_alone(project: Path, built: Project) -> None:
    with tracking.training_run("linear") as run:
        run_training(built, run)
    mlflow.MlflowClient().set_tag(runs_in(project)[0].info.run_id, "model_sha256", "of an earlier format")
    assert backfill(built, ["linear"]) == {"linear": "added from its files"}


def test_a_run_of_an_earlier_version_with_a_tag_for_each_md5_is_complete(project: Path, built: Project) -> None:
    backfill(built, ["linear"])
    client, run_id = mlflow.MlflowClient(), runs_in(project)[0].info.run_id
    client.delete_tag(run_id, "lineage")
    client.set_tag(run_id, f"out:{RESULTS}/model", MODEL_MD5)
    client.set_tag(run_id, f"out:{RESULTS}/metrics.json", "c")
    assert backfill(built, ["linear"]) == {}
    client.set_tag(run_id, f"out:{RESULTS}/metrics.json", "of other metrics")
    assert backfill(built, ["linear"]) == {"linear": "completed"}
    assert backfill(built, ["linear"]) == {}


def write_card(metrics_md5: str = "") -> None:
    """Write a card of the results, or of others."""
    md5 = metrics_md5 or checksum(RESULTS / "metrics.json", "md5")
    (RESULTS / "card.md").write_text(f"its metrics.json `{md5}`")


def has_card(project: Path) -> tuple[bool, bool]:
    """Whether the only run has a card, and whether its description links it."""
    (run,) = runs_in(project)
    files = [file.path for file in mlflow.MlflowClient().list_artifacts(run.info.run_id)]
    link = f"[Model card](#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}/artifacts/card.md?"
    return "card.md" in files, link in run.data.tags["mlflow.note.content"]


@pytest.mark.parametrize("md5, is_logged", [("", True), ("0" * 32, False)])
def test_the_card_of_these_results_is_logged_and_linked(
    md5: str, is_logged: bool, project: Path, built: Project
) -> None:
    write_card(md5)
    backfill(built, ["linear"])
    assert has_card(project) == (is_logged, is_logged)


@pytest.mark.parametrize("recheck", [True, False])
def test_a_card_that_is_written_after_the_run_was_complete_is_added(
    recheck: bool, project: Path, built: Project
) -> None:
    backfill(built, ["linear"])
    write_card()
    assert backfill(built, ["linear"], recheck) == {"linear": "completed"}
    assert has_card(project) == (True, True)
    assert backfill(built, ["linear"]) == backfill(built, ["linear"], recheck=False) == {}


def test_a_complete_run_needs_nothing(project: Path, built: Project) -> None:
    backfill(built, ["linear"])
    assert backfill(built, ["linear"]) == backfill(built, ["linear"], recheck=False) == {}
    assert len(runs_in(project)) == 1


def test_without_recheck_new_outputs_and_another_store_are_noticed(
    project: Path, built: Project, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backfill(built, ["linear"])
    lock("2" * 32)
    assert backfill(built, ["linear"], recheck=False) == {"linear": "completed"}
    assert backfill(built, ["linear"]) == {}
    shutil.copy(empty_store, project / "other.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project / 'other.db'}")
    assert backfill(built, ["linear"], recheck=False) == {"linear": "added from its files"}


def test_a_run_that_could_not_be_completed_is_tried_again(
    project: Path, built: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("modelyard.tracking.run.MlflowRun.log_lineage", lambda *_: 1 / 0)
        backfill(built, ["linear"])
    assert "warning: this run is not tracked: ZeroDivisionError" in capsys.readouterr().err
    assert backfill(built, ["linear"], recheck=False) == {"linear": "added from its files"}
    assert sorted(run.info.status for run in runs_in(project)) == ["FAILED", "FINISHED"]
    assert backfill(built, ["linear"]) == {}


def test_what_could_not_be_added_is_reported_as_such(
    project: Path, built: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelyard.tracking.run.MlflowRun.log_lineage", lambda *_: 1 / 0)
    assert backfill(built, ["linear"]) == {"linear": NOT_ADDED}


def test_a_training_with_other_settings_that_gives_the_same_bytes_is_completed(project: Path, built: Project) -> None:
    backfill(built, ["linear"])
    experiment = built.experiments["linear"]
    other = experiment.model_copy(update={"training": experiment.training.model_copy(update={"seed": 99})})
    again = built.model_copy(update={"experiments": {**built.experiments, "linear": other}})
    with tracking.training_run("linear") as run:
        run_training(again, run)
    assert backfill(again, ["linear"], recheck=False) == {"linear": "completed"}
    assert backfill(again, ["linear"], recheck=False) == {}
    latest, first = runs_in(project)
    assert (latest.data.params["training.seed"], first.data.params["training.seed"]) != ("99", "99")
    assert latest.data.metrics["test_mae"] == first.data.metrics["test_mae"]


def test_an_untracked_training_with_other_settings_that_gives_the_same_bytes_is_added(
    project: Path, built: Project
) -> None:
    backfill(built, ["linear"])
    experiment = built.experiments["linear"]
    other = experiment.model_copy(update={"training": experiment.training.model_copy(update={"seed": 99})})
    again = built.model_copy(update={"experiments": {**built.experiments, "linear": other}})
    assert backfill(again, ["linear"], recheck=False) == {"linear": "added from its files"}


@pytest.mark.parametrize("edited", ["before", "after"])
def test_settings_that_were_edited_during_a_rebuild_make_no_second_run(
    edited: str, project: Path, built: Project
) -> None:
    """The training took those of before or after the edit, and dvc.lock has the same."""
    experiment = built.experiments["linear"]
    other = experiment.model_copy(update={"training": experiment.training.model_copy(update={"seed": 99})})
    changed = built.model_copy(update={"experiments": {**built.experiments, "linear": other}})
    trained, given = (changed, built) if edited == "before" else (built, changed)
    with tracking.training_run("linear") as run:
        run_training(trained, run)
    seed = trained.experiments["linear"].training.seed
    lock(MODEL_MD5, **{"experiments.linear.training": {"seed": seed}, "runtime": {"threads": 4, "device": "cpu"}})
    assert backfill(given, ["linear"]) == {"linear": "completed"}
    (logged,) = runs_in(project)
    assert logged.data.params["training.seed"] == str(seed)


def test_a_run_is_added_with_the_settings_of_its_training(project: Path, built: Project) -> None:
    model = {"family": "boosting", "n_estimators": 9}
    locked = {"experiments.linear.training": {"seed": 99}, "experiments.linear.model": model}
    lock(MODEL_MD5, **locked, runtime={"device": "gpu"})
    assert backfill(built, ["linear"]) == {"linear": "added from its files"}
    (run,) = runs_in(project)
    found = [run.data.params[key] for key in ("input", "model.n_estimators", "training.seed")]
    assert (found, run.data.tags["device"]) == (["line", "9", "99"], "gpu")


def test_a_damaged_list_of_complete_runs_is_made_again(project: Path, built: Project) -> None:
    backfill(built, ["linear"])
    (project / ".modelyard" / "backfilled.json").write_text("{half")
    assert backfill(built, ["linear"], recheck=False) == {}
    assert read_json(project / ".modelyard" / "backfilled.json").keys() == {"linear"}
