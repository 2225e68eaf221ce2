"""The MLflow runs of a project, written to its own store and read back."""

import os
from pathlib import Path

import mlflow
import pytest
from mlflow.entities import Run

from modelyard import tracking
from modelyard.data.inputs import TrainingInput, save_training
from modelyard.experiments import train
from modelyard.models import Runtime
from modelyard.params.project import AnyExperiment


def store_of(project: Path) -> str:
    """The tracking URI of a project's own database."""
    return f"sqlite:///{project / 'mlflow.db'}"


def runs_of(store: str) -> list[Run]:
    """Every run of a store, the latest first."""
    client = mlflow.MlflowClient(store)
    return client.search_runs([each.experiment_id for each in client.search_experiments()])


def runs_in(project: Path) -> list[Run]:
    """Every run of a project, the latest first."""
    return runs_of(store_of(project))


def runs_by_name(project: Path) -> dict[str, Run]:
    """Every run of a project by its name, of which none may occur twice."""
    runs = runs_in(project)
    by_name = {run.info.run_name: run for run in runs}
    assert len(by_name) == len(runs)
    return by_name


def metric_history(project: Path, run: Run, metric: str) -> list[tuple[int, float]]:
    """The step and value of each entry of a metric, by step."""
    client = mlflow.MlflowClient(store_of(project))
    return sorted((each.step, each.value) for each in client.get_metric_history(run.info.run_id, metric))


def log_training(experiment: AnyExperiment, data: TrainingInput, root: Path) -> None:
    """Train with tracking on, in a folder with a store; the model is written to `root/model`, and logged."""
    save_training(data, root / "rows")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(root))
        patch.setenv("MODELYARD_TRACKING", "on")
        with tracking.training_run("an_experiment") as run:
            train.train(experiment, Runtime(), root / "rows", root / "model", root / "history.csv", run)


def forget_mlflow() -> None:
    """Leave MLflow as if freshly imported."""
    mlflow.set_tracking_uri(None)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_ID", "MLFLOW_RUN_ID"):
        os.environ.pop(name, None)  # MLflow sets them for processes that it may start
