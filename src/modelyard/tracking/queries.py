"""Reads runs from the store. No stage uses this module: stages read files only."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelyard.core.errors import ModelyardError
from modelyard.core.processes import has_died
from modelyard.tracking.run import LINEAGE_FILE
from modelyard.tracking.store import connect, explain_errors, masked_tracking_uri, mlflow_experiment

MAX_RUNS = 1000  # of one search


@dataclass(frozen=True)
class RunRecord:
    """A run as the store has it; times in seconds since 1970, `end_time` is 0 while it runs."""

    id: str
    name: str
    status: str
    start_time: float
    end_time: float
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]


def get_run(run_id: str) -> RunRecord:
    """The run with this id.

    Raises:
        ModelyardError: the store has no such run, or fails.
    """
    with explain_errors():
        connect()
        import mlflow

        try:
            return _record(mlflow.get_run(run_id))
        except mlflow.MlflowException as error:
            if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise
    raise ModelyardError(
        f"no run {run_id} in {masked_tracking_uri()}. Run ids are shown in the browser (modelyard ui), beside each "
        "run's name."
    )


def runs_of(experiment: str) -> list[RunRecord]:
    """The runs of an experiment of params.yaml, the latest first.

    Raises:
        ModelyardError: the store fails.
    """
    return _search(f"attributes.run_name = '{experiment}'")


def lineage_of(run_id: str) -> dict[str, dict[str, str]]:
    """The MD5s of what went into a run and came out of it, by path; empty where they are not logged or out of reach."""
    with explain_errors():
        connect()
        import mlflow

        try:
            return dict(mlflow.artifacts.load_dict(f"runs:/{run_id}/{LINEAGE_FILE}"))
        except (OSError, mlflow.MlflowException):
            return {}


def fail_dead_runs() -> list[str]:
    """Mark as failed the runs that are shown as running but whose process on this machine is gone.

    Returns:
        Their names.

    Raises:
        ModelyardError: the store fails.
    """
    dead = [run for run in _search("attributes.status = 'RUNNING'") if has_died(run.tags.get("process", ""))]
    import mlflow

    with explain_errors():
        for run in dead:
            client = mlflow.MlflowClient()
            client.set_tag(
                run.id, "error", "its process ended without an error message: killed, out of memory, or power lost"
            )
            client.set_terminated(run.id, "FAILED", int(time.time() * 1000))
    return [run.name for run in dead]


def _search(condition: str) -> list[RunRecord]:
    with explain_errors():
        connect()
        import mlflow

        runs = mlflow.search_runs(
            experiment_names=[mlflow_experiment()], filter_string=condition, output_format="list", max_results=MAX_RUNS
        )
    return [_record(run) for run in runs]


def _record(run: Any) -> RunRecord:
    info, data = run.info, run.data
    start, end = info.start_time / 1000, (info.end_time or 0) / 1000
    return RunRecord(info.run_id, info.run_name, info.status, start, end, data.tags, data.params, data.metrics)
