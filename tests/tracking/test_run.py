"""Runs of training and evaluation, written to real MLflow stores."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import Mock

import mlflow
import numpy as np
import pytest
from support.mlflow_runs import runs_in, store_of

from modelyard import tracking
from modelyard.core.files import write_json
from modelyard.data.inputs import TrainingInput, save_test, save_training
from modelyard.experiments import plots
from modelyard.experiments.evaluate import evaluate
from modelyard.experiments.train import train
from modelyard.models import EstimatorTraining, NetworkTraining, Runtime, load
from modelyard.models.families import linear, mlp
from modelyard.orchestration import dvc_lock
from modelyard.params.project import EstimatorExperiment, NetworkExperiment
from modelyard.tracking.queries import lineage_of

LINEAR = EstimatorExperiment(
    input="made_up", model=linear.Settings(family="linear"), training=EstimatorTraining(seed=7)
)
NETWORK = NetworkExperiment(
    input="made_up",
    model=mlp.Settings(family="mlp", units=(4,)),
    training=NetworkTraining(seed=7, epochs=3, loss="sparse_categorical_crossentropy"),
)


def run_training(experiment: EstimatorExperiment | NetworkExperiment, data: TrainingInput, project: Path) -> None:
    """What pipeline/train.py does."""
    save_training(data, project / "rows")
    with tracking.training_run("an_experiment") as run:
        train(experiment, Runtime(), project / "rows", project / "model", project / "history.csv", run)


def run_evaluation(data: TrainingInput, project: Path) -> dict[str, float]:
    """What pipeline/evaluate.py does, with a single plot."""
    save_test(data.validation, project / "test")
    evaluation = evaluate(load(project / "model"), project / "test")
    (project / "figures").mkdir()
    predictions = evaluation.predictions
    plot = plots.confusion(predictions.truth, predictions.prediction, data.description.classes)
    plots.save(plot, project / "figures" / "confusion.png")
    with tracking.evaluation_run("an_experiment") as run:
        run.log_evaluation(evaluation.metrics, evaluation.details, project / "figures")
    return evaluation.metrics


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
def test_training_and_evaluation_are_one_complete_run(
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
    assert len(dataset.dataset.digest) == 32

    assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["details.json", "figures"]
    assert [file.path for file in client.list_artifacts(run.info.run_id, "figures")] == ["figures/confusion.png"]
    assert (project / "mlartifacts").is_dir()

    logged = mlflow.models.get_model_info(run.data.tags["model_uri"]).signature
    (x,), (y,) = logged.inputs.inputs, logged.outputs.inputs
    assert ((x.shape, str(x.type)), (y.shape, str(y.type))) == signature


def trained_run(project: Path) -> mlflow.entities.Run:
    """A run of a training that logs nothing."""
    with tracking.training_run("an_experiment"):
        pass
    return runs_in(project)[0]


def test_a_training_logs_system_metrics(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.1")
    with tracking.training_run("an_experiment"):
        time.sleep(1)
    metrics = runs_in(project)[0].data.metrics
    assert {"system/cpu_utilization_percentage", "system/system_memory_usage_megabytes"} <= metrics.keys()
    assert metrics["system/process_peak_megabytes"] > 10
    assert metrics["system/process_cpu_seconds"] > 0


def test_the_digest_of_the_input_changes_with_the_data_alone(regression_input: TrainingInput, project: Path) -> None:
    other = TrainingInput(regression_input.description, regression_input.samples.take(np.arange(60)[::-1]))
    for data in (regression_input, other, regression_input):
        run_training(LINEAR, data, project)
    again, different, first = (run.inputs.dataset_inputs[0].dataset.digest for run in runs_in(project))
    assert first == again != different


@pytest.mark.parametrize(
    "error, status, tag",
    [
        (ValueError("no such luck"), "FAILED", "ValueError: no such luck"),
        (KeyboardInterrupt(), "KILLED", "KeyboardInterrupt: "),
    ],
)
def test_a_run_that_raises_ends_with_the_error_and_raises_it_again(
    error: BaseException, status: str, tag: str, project: Path
) -> None:
    with pytest.raises(type(error)), tracking.training_run("an_experiment"):
        raise error
    (run,) = runs_in(project)
    assert (run.info.status, run.data.tags["error"]) == (status, tag)
    assert mlflow.active_run() is None


def test_each_training_starts_a_new_run_and_evaluation_resumes_the_last(project: Path) -> None:
    for _ in range(2):
        with tracking.training_run("an_experiment"):
            pass
    with tracking.evaluation_run("an_experiment"):
        resumed = mlflow.active_run().info.run_id
    last, first = runs_in(project)
    assert resumed == last.info.run_id != first.info.run_id


def test_an_evaluation_does_not_change_the_duration_of_a_run(project: Path) -> None:
    ended = trained_run(project).info.end_time
    time.sleep(0.1)
    assert (evaluated(project).info.status, evaluated(project).info.end_time) == ("FINISHED", ended)


def test_without_its_id_file_evaluation_starts_a_new_run(project: Path) -> None:
    trained_run(project)
    (project / ".modelyard" / "runs" / "an_experiment").unlink()
    (project / "figures").mkdir()
    with tracking.evaluation_run("an_experiment") as run:
        run.log_evaluation({"mse": 4.0}, {"intervals": {"mse": (3.0, 5.0)}}, project / "figures")
    new, old = runs_in(project)
    assert new.data.metrics == {"test_mse": 4.0, "test_mse_low": 3.0, "test_mse_high": 5.0}
    assert "test_mse" not in old.data.metrics
    assert (new.info.run_name, new.info.status) == ("an_experiment", "FINISHED")


def test_metrics_over_folds_are_logged_with_their_interval(project: Path) -> None:
    (project / "figures").mkdir()
    over_folds = {"values": [0.8, 0.9], "mean": 0.85, "sd": 0.07, "low": 0.7, "high": 1.0}
    details = {"intervals": {}, "folds": {"folds": 2, "repeats": 1, "metrics": {"r2": over_folds}}}
    with tracking.evaluation_run("an_experiment") as run:
        run.log_evaluation({"r2": 0.8}, details, project / "figures")
    (found,) = runs_in(project)
    assert found.data.metrics == {"test_r2": 0.8, "cv_r2_mean": 0.85, "cv_r2_low": 0.7, "cv_r2_high": 1.0}


def evaluated(project: Path) -> mlflow.entities.Run:
    """The run that an evaluation is logged to now."""
    (project / "figures").mkdir(exist_ok=True)
    with tracking.evaluation_run("an_experiment") as run:
        run.log_evaluation({"mse": 4.0}, {"intervals": {}}, project / "figures")
    return next(run for run in runs_in(project) if "test_mse" in run.data.metrics)


def test_evaluation_does_not_resume_a_failed_training(project: Path) -> None:
    with pytest.raises(ValueError, match="no such luck"), tracking.training_run("an_experiment"):
        raise ValueError("no such luck")
    assert evaluated(project).info.status == "FINISHED"
    assert sorted(run.info.status for run in runs_in(project)) == ["FAILED", "FINISHED"]


@pytest.mark.parametrize("is_same", [True, False])
def test_evaluation_resumes_only_the_run_of_the_model_that_is_here(
    is_same: bool, regression_input: TrainingInput, project: Path
) -> None:
    run_training(LINEAR, regression_input, project)
    (trained,) = runs_in(project)
    model = Path(shutil.copytree(project / "model", project / "results" / "an_experiment" / "model"))
    if not is_same:
        next(model.glob("model.*")).write_text("restored by DVC")
    assert (evaluated(project).info.run_id == trained.info.run_id) == is_same


@pytest.fixture
def evaluated_model(project: Path) -> dict[str, str]:
    """An evaluated experiment in dvc.lock; returns the MD5 of each of its files."""
    folder = project / "results" / "an_experiment"
    (folder / "figures").mkdir(parents=True)
    for name in ("model", "figures/confusion.png"):
        (folder / name).write_text(name)
    write_json(folder / "metrics.json", {"mse": 4.0})
    write_json(folder / "details.json", {"intervals": {"mse": [3.0, 5.0]}})
    names = [f"results/an_experiment/{name}" for name in ("model", "metrics.json", "details.json", "figures")]
    md5s = {name: dvc_lock.md5(project / name) for name in names}
    deps, outs = ([{"path": name, "md5": md5s[name]} for name in group] for group in (names[:1], names[1:]))
    code = {"path": "src/code.py", "md5": "not compared"}
    stage = {"cmd": "evaluate", "deps": [*deps, code], "outs": outs}
    (project / "dvc.lock").write_text(json.dumps({"stages": {"evaluate@an_experiment": stage}}))
    return md5s


@pytest.mark.usefixtures("evaluated_model")
def test_a_training_that_gives_an_equal_model_has_its_evaluation(project: Path) -> None:
    run = trained_run(project)
    assert run.data.metrics["test_mse"] == 4.0
    assert run.data.metrics["test_mse_low"] == 3.0
    artifacts = mlflow.MlflowClient().list_artifacts(run.info.run_id)
    assert [file.path for file in artifacts] == ["details.json", "figures"]


@pytest.mark.parametrize("changed", ["model", "metrics.json"])
def test_a_training_that_gives_another_model_waits_for_its_evaluation(
    changed: str, evaluated_model: dict[str, str], project: Path
) -> None:
    assert len(evaluated_model) == 4
    (project / "results" / "an_experiment" / changed).write_text("{}")
    assert "test_mse" not in trained_run(project).data.metrics


@pytest.mark.parametrize("variable", ["MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME"])
@pytest.mark.parametrize("is_known", [True, False])
def test_a_run_of_a_job_around_is_left_alone(
    variable: str, is_known: bool, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    client = mlflow.MlflowClient(store_of(project))
    experiment = client.create_experiment("a job")
    job = client.create_run(experiment, run_name="nightly").info
    known = {"MLFLOW_RUN_ID": job.run_id, "MLFLOW_EXPERIMENT_ID": experiment, "MLFLOW_EXPERIMENT_NAME": "a job"}
    monkeypatch.setenv(variable, known[variable] if is_known else "f" * 32)
    run = next(run for run in (trained_run(project), *runs_in(project)) if run.info.run_name == "an_experiment")
    assert run.info.experiment_id == client.get_experiment_by_name("modelyard").experiment_id
    assert client.get_run(job.run_id).info.status == "RUNNING"
    assert client.get_run(job.run_id).info.run_name == "nightly"
    assert [each.name for each in client.search_experiments()] == ["modelyard", "a job", "Default"]
    assert "warning" not in capsys.readouterr().err


def test_the_id_of_a_run_is_saved_before_anything_can_fail(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelyard.tracking.environment.uncommitted_patch", lambda: 1 / 0)
    run = trained_run(project)
    assert run.info.status == "FAILED"
    assert (project / ".modelyard" / "runs" / "an_experiment").read_text().strip() == run.info.run_id


def test_a_damaged_id_file_is_no_run(project: Path) -> None:
    trained_run(project)
    (project / ".modelyard" / "runs" / "an_experiment").write_bytes(b"\xff\xfe\n")
    assert evaluated(project).info.status == "FINISHED"


def test_a_user_without_a_name_can_track_runs(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_such_user() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr("getpass.getuser", no_such_user)
    assert trained_run(project).info.status == "FINISHED"


def test_lineage_is_a_file_and_one_hash_of_the_outputs_a_tag(project: Path) -> None:
    with tracking.training_run("an_experiment") as run:
        run.log_lineage({"src/a.py": "1" * 32, "data/inputs/x/training": "2" * 32}, {"results/x/model": "3" * 32})
    (run,) = runs_in(project)
    assert [tag for tag in run.data.tags if ":" in tag] == []
    assert len(run.data.tags["lineage"]) == 16
    lineage = mlflow.artifacts.load_dict(f"runs:/{run.info.run_id}/lineage.json")
    assert lineage["went in"]["src/a.py"] == "1" * 32
    assert lineage == lineage_of(run.info.run_id)


def test_an_unreachable_store_is_one_warning_and_loses_no_result(
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


def test_logging_a_model_reads_no_metadata_of_other_packages(
    regression_input: TrainingInput, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow would, to warn of requirements that are not installed: it takes longer than a small training."""
    read = Mock(return_value={})
    monkeypatch.setattr("importlib_metadata.packages_distributions", read)
    monkeypatch.setattr("mlflow.utils.requirements_utils._MODULES_TO_PACKAGES", None)
    run_training(LINEAR, regression_input, project)
    read.assert_not_called()


def test_a_failure_during_training_does_not_stop_it(project: Path, capsys: pytest.CaptureFixture) -> None:
    with tracking.training_run("an_experiment") as run:
        run.log_model("no model at all", project)
        run.log_model("no model at all", project)
        run.log_epoch({"epoch": 1, "loss": 0.5})
    assert capsys.readouterr().err.count("warning: this run is not tracked: AttributeError") == 1


TRACKED = """
import sys
from modelyard import tracking
with tracking.training_run(sys.argv[1]) as run:
    run.log_epoch({"epoch": 1, "loss": 0.5})
    run.log_evaluation({"mse": 4.0}, {"intervals": {"mse": (3.0, 5.0)}}, "nothing here")
print("mlflow" in sys.modules)
"""


def test_with_tracking_off_nothing_is_written_and_mlflow_is_not_imported(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    arguments = [sys.executable, "-c", TRACKED, "an_experiment"]
    done = subprocess.run(arguments, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("False\n", "")
    assert list(tmp_path.iterdir()) == []


def test_the_warning_of_an_unreachable_server_hides_its_password(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ann:hush@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with tracking.training_run("an_experiment"):
        pass
    errors = capfd.readouterr().err
    assert "warning: this run is not tracked" in errors
    assert "hush" not in errors
