"""The MLflow runs of a project, read back from its own store."""

from pathlib import Path

import mlflow
from mlflow.entities import Run


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
