"""Reading the diary: what it has of each run. No stage does."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelyard.core.errors import ModelyardError
from modelyard.core.processes import has_died
from modelyard.tracking.store import MLFLOW_EXPERIMENT, connect, masked_tracking_uri

MOST = 1000  # runs of one name that are looked at


@dataclass(frozen=True)
class RunRecord:
    """A run as the diary has it; times in seconds since 1970, `ended` is 0 while it runs."""

    id: str
    name: str
    status: str
    began: float
    ended: float
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]


def get_run(run_id: str) -> RunRecord:
    """The run with this id.

    Raises:
        ModelyardError: the store has no such run.
    """
    import mlflow

    connect()
    try:
        return _record(mlflow.get_run(run_id))
    except mlflow.MlflowException:
        told = f"no run {run_id} in {masked_tracking_uri()}. Ids stand in the browser (modelyard ui) beside each run's name."
        raise ModelyardError(told) from None


def runs_of(name: str) -> list[RunRecord]:
    """The runs of an experiment, the latest first."""
    return _found(f"attributes.run_name = '{name}'")


def fail_dead_runs() -> list[str]:
    """Show as failed what is noted as running in a process of this machine that is gone; returns the runs' names."""
    import mlflow

    died = [run for run in _found("attributes.status = 'RUNNING'") if has_died(run.tags.get("process", ""))]
    for run in died:
        client = mlflow.MlflowClient()
        client.set_tag(run.id, "error", "its process ended without a word: killed, out of memory, or power lost")
        client.set_terminated(run.id, "FAILED", int(time.time() * 1000))
    return [run.name for run in died]


def _found(condition: str) -> list[RunRecord]:
    import mlflow

    connect()
    kept = {"experiment_names": [MLFLOW_EXPERIMENT], "output_format": "list", "max_results": MOST}
    return [_record(run) for run in mlflow.search_runs(filter_string=condition, **kept)]


def _record(run: Any) -> RunRecord:
    info, data = run.info, run.data
    began, ended = info.start_time / 1000, (info.end_time or 0) / 1000
    return RunRecord(info.run_id, info.run_name, info.status, began, ended, data.tags, data.params, data.metrics)
