"""The diary of runs, written to real MLflow stores."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import numpy as np
import pytest

from modelyard import tracking
from modelyard.core.errors import ModelyardError
from modelyard.data.inputs import TrainingInput, save_test, save_training
from modelyard.experiments import plots
from modelyard.experiments.evaluate import evaluate
from modelyard.experiments.train import train
from modelyard.models import EstimatorTraining, NetworkTraining, Runtime, load
from modelyard.models.families import linear, mlp
from modelyard.params.project import EstimatorExperiment, NetworkExperiment
from modelyard.tracking import queries

LINEAR = EstimatorExperiment(
    input="made_up", model=linear.Settings(family="linear"), training=EstimatorTraining(seed=7)
)
NETWORK = NetworkExperiment(
    input="made_up",
    model=mlp.Settings(family="mlp", units=(4,)),
    training=NetworkTraining(seed=7, epochs=3, loss="sparse_categorical_crossentropy"),
)
GIT = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost"]


@pytest.fixture
def project(tracked_project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's root, the current folder, which DVC names."""
    monkeypatch.setenv("DVC_ROOT", str(tracked_project))
    return tracked_project


def runs_of(store: str) -> list[mlflow.entities.Run]:
    """Every run of a store, the latest first."""
    client = mlflow.MlflowClient(store)
    return client.search_runs([each.experiment_id for each in client.search_experiments()])


def runs_in(project: Path) -> list[mlflow.entities.Run]:
    return runs_of(f"sqlite:///{project / 'mlflow.db'}")


def run_training(experiment: EstimatorExperiment | NetworkExperiment, data: TrainingInput, project: Path) -> None:
    """What pipeline/train.py does."""
    save_training(data, project / "rows")
    with tracking.training_run("an_experiment") as run:
        train(experiment, Runtime(), project / "rows", project / "model", project / "history.csv", run)


def run_evaluation(data: TrainingInput, project: Path) -> dict[str, float]:
    """What pipeline/evaluate.py does, with a single picture."""
    save_test(data.validation, project / "test")
    found = evaluate(load(project / "model"), project / "test")
    (project / "figures").mkdir()
    picture = plots.confusion(found.predictions.truth, found.predictions.prediction, data.description.classes)
    plots.save(picture, project / "figures" / "confusion.png")
    with tracking.evaluation_run("an_experiment") as run:
        run.log_evaluation(found.metrics, found.details, project / "figures")
    return found.metrics


@pytest.mark.parametrize(
    "experiment, parameters, epochs, signature",
    [
        (
            NETWORK,
            {"model.family": "mlp", "model.units": "[4]", "training.epochs": "3", "training.seed": "7"},
            3,
            (((-1, 8, 8, 1), "uint8"), ((-1, 2), "float32")),
        ),
        (
            LINEAR,
            {"model.family": "linear", "training.seed": "7"},
            1,
            (((-1, 64), "float64"), ((-1,), "int64")),
        ),
    ],
    ids=["network", "estimator"],
)
def test_training_and_evaluation_make_one_run_that_tells_all(
    experiment: EstimatorExperiment | NetworkExperiment,
    parameters: dict[str, str],
    epochs: int,
    signature: tuple,
    image_input: TrainingInput,
    project: Path,
) -> None:
    run_training(experiment, image_input, project)
    test = run_evaluation(image_input, project)

    (run,) = runs_in(project)
    assert (run.info.run_name, run.info.status) == ("an_experiment", "FINISHED")
    assert parameters.items() <= run.data.params.items()
    assert run.data.params["input"] == "made_up"

    client = mlflow.MlflowClient()
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        history = client.get_metric_history(run.info.run_id, name)
        assert [metric.step for metric in history] == list(range(1, epochs + 1))
    assert {name: run.data.metrics[f"test_{name}"] for name in test} == pytest.approx(test)
    assert run.data.metrics["test_loss_low"] < test["loss"] < run.data.metrics["test_loss_high"]

    (dataset,) = run.inputs.dataset_inputs
    assert (dataset.dataset.name, dataset.tags[0].value) == ("made_up", "training")
    assert dataset.dataset.digest == run.data.tags["input_sha256"][:32]

    assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["details.json", "figures"]
    assert [file.path for file in client.list_artifacts(run.info.run_id, "figures")] == ["figures/confusion.png"]
    assert (project / "mlartifacts").is_dir()

    logged = mlflow.models.get_model_info(run.data.tags["model_uri"]).signature
    (given,), (answered,) = logged.inputs.inputs, logged.outputs.inputs
    assert ((given.shape, str(given.type)), (answered.shape, str(answered.type))) == signature


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run([*GIT, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(project: Path) -> Path:
    """A project under git, as the current folder: some code, settings with a notebook, and what stages write."""
    (project / ".gitignore").write_text("mlflow.db\n.modelyard\nmlartifacts\n")
    (project / "published.yaml").write_text('an_experiment: {notebook: "002"}\n')
    for name in ("code.py", "dvc.lock", "results/metrics.json"):
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text("as committed\n")
    git(project, "init", "-q")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "first")
    return project


def begin_a_run(project: Path) -> mlflow.entities.Run:
    with tracking.training_run("an_experiment"):
        pass
    return runs_in(project)[0]


def test_tags_lead_back_to_commit_stage_and_data(
    regression_input: TrainingInput, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_STAGE", "train@an_experiment")
    monkeypatch.setenv("DVC_EXP_NAME", "wordy-song")
    save_training(regression_input, repository / "results" / "rows")
    with tracking.training_run("an_experiment") as run:
        run.log_inputs({}, regression_input.description, repository / "results" / "rows")
    tags = runs_in(repository)[0].data.tags
    assert (tags["git_commit"], tags["git_dirty"]) == (git(repository, "rev-parse", "HEAD"), "false")
    assert (tags["dvc_stage"], tags["dvc_experiment"]) == ("train@an_experiment", "wordy-song")
    assert (tags["dataset"], tags["task"]) == ("made_up", "regression")


def test_what_stages_write_makes_no_run_a_changed_one(repository: Path) -> None:
    for name in ("results/metrics.json", "dvc.lock"):
        (repository / name).write_text("rebuilt")
    assert begin_a_run(repository).data.tags["git_dirty"] == "false"
    assert mlflow.MlflowClient().list_artifacts(runs_in(repository)[0].info.run_id) == []


def test_a_run_keeps_what_differed_from_its_commit(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (repository / "code.py").write_text("changed\n")
    (repository / "new.py").write_text("new\n")
    run = begin_a_run(repository)
    expected = {"git_dirty": "true", "git_changed": "code.py", "git_new": "new.py"}
    assert expected.items() <= run.data.tags.items()

    elsewhere = tmp_path_factory.mktemp("elsewhere") / "clone"
    git(repository, "worktree", "add", "-q", str(elsewhere), run.data.tags["git_commit"])
    patch = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="changes.patch")
    git(elsewhere, "apply", patch)
    assert (elsewhere / "code.py").read_text() == "changed\n"


def test_a_run_names_its_notebook_and_its_rebuild(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_REBUILD", "last night's")
    tags = begin_a_run(repository).data.tags
    assert (tags["notebook"], tags["rebuild"]) == ("002", "last night's")


def test_a_training_is_measured_until_it_ends(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.1")
    with tracking.training_run("an_experiment"):
        time.sleep(1)
    metrics = runs_in(project)[0].data.metrics
    assert {"system/cpu_utilization_percentage", "system/system_memory_usage_megabytes"} <= metrics.keys()
    assert metrics["system/process_peak_megabytes"] > 10
    assert metrics["system/process_cpu_seconds"] > 0


def test_the_input_tag_changes_with_the_rows_alone(regression_input: TrainingInput, project: Path) -> None:
    other = TrainingInput(regression_input.description, regression_input.samples.take(np.arange(60)[::-1]))
    for data in (regression_input, other, regression_input):
        run_training(LINEAR, data, project)
    again, of_other, first = (run.data.tags["input_sha256"] for run in runs_in(project))
    assert first == again != of_other
    assert len(first) == 64


@pytest.mark.parametrize(
    "error, status, told",
    [
        (ValueError("no such luck"), "FAILED", "ValueError: no such luck"),
        (KeyboardInterrupt(), "KILLED", "KeyboardInterrupt: "),
    ],
)
def test_a_run_that_ends_badly_says_how_and_the_error_goes_on(
    error: BaseException, status: str, told: str, project: Path
) -> None:
    with pytest.raises(type(error)), tracking.training_run("an_experiment"):
        raise error
    (run,) = runs_in(project)
    assert (run.info.status, run.data.tags["error"]) == (status, told)
    assert mlflow.active_run() is None


def test_each_training_begins_a_run_of_its_own_and_evaluation_takes_up_the_last(project: Path) -> None:
    for _ in range(2):
        with tracking.training_run("an_experiment"):
            pass
    with tracking.evaluation_run("an_experiment"):
        taken_up = mlflow.active_run().info.run_id
    last, first = runs_in(project)
    assert taken_up == last.info.run_id != first.info.run_id


def test_what_is_added_to_a_run_later_does_not_make_it_longer(project: Path) -> None:
    ended = begin_a_run(project).info.end_time
    time.sleep(0.1)
    assert (evaluated(project).info.status, evaluated(project).info.end_time) == ("FINISHED", ended)


def test_a_lost_id_file_begins_a_new_run(project: Path) -> None:
    with tracking.training_run("an_experiment"):
        pass
    (project / ".modelyard" / "runs" / "an_experiment").unlink()
    (project / "figures").mkdir()
    with tracking.evaluation_run("an_experiment") as run:
        run.log_evaluation({"mse": 4.0}, {"intervals": {"mse": (3.0, 5.0)}}, project / "figures")
    new, old = runs_in(project)
    assert new.data.metrics == {"test_mse": 4.0, "test_mse_low": 3.0, "test_mse_high": 5.0}
    assert "test_mse" not in old.data.metrics
    assert (new.info.run_name, new.info.status) == ("an_experiment", "FINISHED")


def evaluated(project: Path) -> mlflow.entities.Run:
    """The run that an evaluation writes to now."""
    (project / "figures").mkdir(exist_ok=True)
    with tracking.evaluation_run("an_experiment") as run:
        run.log_evaluation({"mse": 4.0}, {"intervals": {}}, project / "figures")
    return next(run for run in runs_in(project) if "test_mse" in run.data.metrics)


def test_evaluation_leaves_the_run_of_a_failed_training_as_it_is(project: Path) -> None:
    with pytest.raises(ValueError, match="no such luck"), tracking.training_run("an_experiment"):
        raise ValueError("no such luck")
    assert evaluated(project).info.status == "FINISHED"
    assert sorted(run.info.status for run in runs_in(project)) == ["FAILED", "FINISHED"]


@pytest.mark.parametrize("md5, taken_up", [("1" * 32, True), ("2" * 32, False)])
def test_evaluation_of_a_model_that_dvc_brought_back_leaves_the_run_of_a_later_one(
    md5: str, taken_up: bool, project: Path
) -> None:
    with tracking.training_run("an_experiment") as run:
        run.log_lineage({}, {"results/an_experiment/model": "1" * 32})
    (trained,) = runs_in(project)
    stage = f"cmd: train, outs: [{{path: results/an_experiment/model, md5: '{md5}'}}]"
    (project / "dvc.lock").write_text(f"stages: {{train@an_experiment: {{{stage}}}}}\n")
    assert (evaluated(project).info.run_id == trained.info.run_id) == taken_up


def test_what_went_in_and_came_out_is_tagged_and_code_stands_in_a_file(project: Path) -> None:
    with tracking.training_run("an_experiment") as run:
        run.log_lineage({"src/a.py": "1" * 32, "data/inputs/x/training": "2" * 32}, {"results/x/model": "3" * 32})
    (written,) = runs_in(project)
    tags = {tag: value for tag, value in written.data.tags.items() if tag.startswith(("in:", "out:"))}
    assert tags == {"in:data/inputs/x/training": "2" * 32, "out:results/x/model": "3" * 32}
    told = mlflow.artifacts.load_dict(f"runs:/{written.info.run_id}/lineage.json")
    assert told["went in"]["src/a.py"] == "1" * 32


def test_a_store_that_cannot_be_reached_is_told_once_and_costs_no_result(
    regression_input: TrainingInput, project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    (project / "a_file").touch()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project}/a_file/no_folder/mlflow.db")
    run_training(LINEAR, regression_input, project)
    warnings = [line for line in capfd.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 1
    assert "this run is not tracked" in warnings[0]
    model = load(project / "model")
    assert np.corrcoef(model.predict(regression_input.samples.x), regression_input.samples.y)[0, 1] > 0.9
    assert (project / "history.csv").exists()


def test_a_failure_half_way_leaves_the_rest_of_the_training_alone(project: Path, capsys: pytest.CaptureFixture) -> None:
    with tracking.training_run("an_experiment") as run:
        run.log_model("no model at all")
        run.log_model("no model at all")
        run.log_epoch({"epoch": 1, "loss": 0.5})
    assert capsys.readouterr().err.count("warning: this run is not tracked: AttributeError") == 1


def test_the_address_in_the_environment_wins(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "mlflow.db").rename(project / "elsewhere.db")
    elsewhere = f"sqlite:///{project / 'elsewhere.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", elsewhere)
    with tracking.training_run("an_experiment"):
        pass
    assert [run.info.run_name for run in runs_of(elsewhere)] == ["an_experiment"]
    assert not (project / "mlflow.db").exists()


def test_without_dvc_the_store_is_in_the_folder_one_stands_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert tracking.tracking_uri() == f"sqlite:///{tmp_path}/mlflow.db"


# --- in processes of their own ---

TRACKED = """
import sys
from modelyard import tracking
with tracking.training_run(sys.argv[1]) as run:
    run.log_epoch({"epoch": 1, "loss": 0.5})
    run.log_evaluation({"mse": 4.0}, {"intervals": {"mse": (3.0, 5.0)}}, "nothing here")
print("mlflow" in sys.modules)
"""


@pytest.mark.parametrize("word", ["off", "0", "FALSE", "no"])
def test_tracking_that_is_off_is_said_in_several_words(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_TRACKING", word)
    assert not tracking.is_enabled()


def test_tracking_that_is_off_writes_nothing_and_imports_no_mlflow(tmp_path: Path, environment: dict[str, str]) -> None:
    arguments = [sys.executable, "-c", TRACKED, "an_experiment"]
    done = subprocess.run(arguments, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("False\n", "")
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal
from modelyard import tracking
with tracking.training_run("an_experiment") as run:
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_run_whose_process_was_killed_is_shown_as_failed_and_one_that_still_runs_is_not(
    project: Path, environment: dict[str, str]
) -> None:
    tracked = environment | {"MODELYARD_TRACKING": "on", "DVC_ROOT": str(project)}
    done = subprocess.run([sys.executable, "-c", KILLED], cwd=project, env=tracked)
    assert done.returncode == -signal.SIGKILL
    with tracking.training_run("another_experiment"):
        assert queries.fail_dead_runs() == ["an_experiment"]
        assert queries.fail_dead_runs() == []
        killed, running = queries.runs_of("an_experiment")[0], queries.runs_of("another_experiment")[0]
    assert (killed.status, running.status) == ("FAILED", "RUNNING")
    assert "its process ended without an error message" in killed.tags["error"]


def test_a_run_that_another_program_began_beside_ours_is_left_alone(project: Path) -> None:
    with tracking.training_run("an_experiment"):
        pass
    begun = mlflow.MlflowClient().create_run(mlflow.get_experiment_by_name("modelyard").experiment_id, run_name="other")
    assert queries.fail_dead_runs() == []
    assert queries.get_run(begun.info.run_id).status == "RUNNING"


def test_a_server_out_of_reach_is_told_without_its_password(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ann:hush@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with tracking.training_run("an_experiment"):
        pass
    said = capfd.readouterr().err
    assert "warning: this run is not tracked" in said
    assert "hush" not in said


def test_an_unknown_run_is_told_with_where_ids_stand(project: Path) -> None:
    with pytest.raises(ModelyardError, match=r"no run 1234 in sqlite:.*mlflow\.db\. Run ids are shown in the browser"):
        queries.get_run("1234")
