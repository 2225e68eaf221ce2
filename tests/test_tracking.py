"""The diary of runs, written to real MLflow stores."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import mlflow
import numpy as np
import pytest

from modelyard import evaluation, figures, tracking, training
from modelyard.inputs import TrainingInput, save_test, save_training
from modelyard.models import EstimatorTraining, NetworkTraining, Runtime, linear, load, mlp
from modelyard.settings import EstimatorExperiment, NetworkExperiment

LINEAR = EstimatorExperiment(
    input="made_up", model=linear.Settings(family="linear"), training=EstimatorTraining(seed=7)
)
NETWORK = NetworkExperiment(
    input="made_up",
    model=mlp.Settings(family="mlp", units=(4,)),
    training=NetworkTraining(seed=7, epochs=3, loss="sparse_categorical_crossentropy"),
)
GIT = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost"]


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with MLflow's tables and nothing in them: making one takes seconds, copying it none."""
    file = tmp_path_factory.mktemp("store") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture
def project(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project's root whose runs are tracked, and MLflow as if freshly imported."""
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("MODELYARD_TRACKING", "on")
    yield tmp_path
    mlflow.end_run()
    mlflow.set_tracking_uri(None)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_ID", "MLFLOW_RUN_ID"):
        os.environ.pop(name, None)  # MLflow sets them for processes that it may start


def runs_of(store: str) -> list[mlflow.entities.Run]:
    """Every run of a store, the latest first."""
    client = mlflow.MlflowClient(store)
    return client.search_runs([each.experiment_id for each in client.search_experiments()])


def runs_in(project: Path) -> list[mlflow.entities.Run]:
    return runs_of(f"sqlite:///{project / 'mlflow.db'}")


def train(experiment: EstimatorExperiment | NetworkExperiment, data: TrainingInput, project: Path) -> None:
    """What pipeline/train.py does."""
    save_training(data, project / "rows")
    with tracking.training_run("an_experiment") as run:
        training.train(experiment, Runtime(), project / "rows", project / "model", project / "history.csv", run)


def evaluate(data: TrainingInput, project: Path) -> dict[str, float]:
    """What pipeline/evaluate.py does, with a single picture."""
    save_test(data.validation, project / "test")
    found = evaluation.evaluate(load(project / "model"), project / "test")
    (project / "figures").mkdir()
    picture = figures.confusion(found.predictions.truth, found.predictions.prediction, data.description.classes)
    figures.save(picture, project / "figures" / "confusion.png")
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
    train(experiment, image_input, project)
    test = evaluate(image_input, project)

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


def test_tags_lead_back_to_commit_stage_and_data(
    regression_input: TrainingInput, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "init", "-q", project], check=True)
    subprocess.run([*GIT, "commit", "-q", "--allow-empty", "-m", "first"], cwd=project, check=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=project, check=True, capture_output=True, text=True)
    monkeypatch.chdir(project)
    monkeypatch.setenv("DVC_STAGE", "train@an_experiment")
    monkeypatch.setenv("DVC_EXP_NAME", "wordy-song")
    train(LINEAR, regression_input, project)
    tags = runs_in(project)[0].data.tags
    assert tags["git_commit"] == commit.stdout.strip()
    assert tags["git_dirty"] == "false"
    assert (tags["dvc_stage"], tags["dvc_experiment"]) == ("train@an_experiment", "wordy-song")
    assert (tags["dataset"], tags["task"]) == ("made_up", "regression")


def test_the_input_tag_changes_with_the_rows_alone(regression_input: TrainingInput, project: Path) -> None:
    other = TrainingInput(regression_input.description, regression_input.rows.take(np.arange(60)[::-1]))
    for data in (regression_input, other, regression_input):
        train(LINEAR, data, project)
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


def test_a_lost_id_file_begins_a_new_run(project: Path) -> None:
    with tracking.training_run("an_experiment"):
        pass
    (project / ".modelyard" / "runs" / "an_experiment").unlink()
    (project / "figures").mkdir()
    with tracking.evaluation_run("an_experiment") as run:
        run.log_evaluation({"mse": 4.0}, {"intervals": {"mse": (3.0, 5.0)}}, project / "figures")
    new, old = runs_in(project)
    assert new.data.metrics == {"test_mse": 4.0, "test_mse_low": 3.0, "test_mse_high": 5.0}
    assert old.data.metrics == {}
    assert (new.info.run_name, new.info.status) == ("an_experiment", "FINISHED")


def test_a_store_that_cannot_be_reached_is_told_once_and_costs_no_result(
    regression_input: TrainingInput, project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    (project / "a_file").touch()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project}/a_file/no_folder/mlflow.db")
    train(LINEAR, regression_input, project)
    warnings = [line for line in capfd.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 1
    assert "this run is not tracked" in warnings[0]
    model = load(project / "model")
    assert np.corrcoef(model.predict(regression_input.rows.x), regression_input.rows.y)[0, 1] > 0.9
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
    assert tracking.store() == f"sqlite:///{tmp_path}/mlflow.db"


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
    assert not tracking.is_on()


def test_tracking_that_is_off_writes_nothing_and_imports_no_mlflow(tmp_path: Path, environment: dict[str, str]) -> None:
    arguments = [sys.executable, "-c", TRACKED, "an_experiment"]
    done = subprocess.run(arguments, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("False\n", "")
    assert list(tmp_path.iterdir()) == []


FOUR_AT_ONCE = """
import multiprocessing
import mlflow  # once, before the fork: the four then reach the store together
from modelyard import tracking

fork = multiprocessing.get_context("fork")
together = fork.Barrier(4)

def work(number):
    together.wait()
    with tracking.training_run(f"experiment_{number}") as run:
        run.log_epoch({"epoch": 1, "loss": 0.5})

processes = [fork.Process(target=work, args=(number,)) for number in range(4)]
for process in processes:
    process.start()
for process in processes:
    process.join()
print([process.exitcode for process in processes])
"""


def test_four_processes_starting_at_once_on_a_fresh_store_all_succeed(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    tracked = environment | {"MODELYARD_TRACKING": "on"}
    arguments = [sys.executable, "-c", FOUR_AT_ONCE]
    done = subprocess.run(arguments, cwd=tmp_path, env=tracked, check=True, capture_output=True, text=True)
    assert done.stdout == "[0, 0, 0, 0]\n"
    assert "warning: " not in done.stderr
    runs = runs_in(tmp_path)
    assert sorted(run.info.run_name for run in runs) == [f"experiment_{number}" for number in range(4)]
    assert {run.info.status for run in runs} == {"FINISHED"}
