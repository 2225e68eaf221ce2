"""Runs that are over, written into the diary as they were: each once, however often it is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from modelyard.tracking import (
    MLFLOW_EXPERIMENT,
    FailsafeRun,
    NullRun,
    connect,
    environment_tags,
    is_enabled,
    project_root,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

GROUP = "group"  # the tag that a run and its parts have in common
ERROR = "error"  # the tag of why a run failed
METRICS_PER_BATCH = 900  # MLflow takes 1000 things at once; tags and parameters are some of them
MOST_RUNS = 50_000  # that one search may find


class LoggedMetric(NamedTuple):
    """A metric's value; told twice, it counts once where nothing of it differs."""

    name: str
    value: float
    step: int
    timestamp: datetime


@dataclass(frozen=True)
class CompletedRun:
    """A run that is over, with the status that MLflow shows."""

    name: str
    status: Literal["FINISHED", "KILLED", "FAILED"]
    start_time: datetime
    end_time: datetime
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Sequence[LoggedMetric] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


def writer() -> "Writer | FailsafeRun | NullRun":
    """What writes groups of runs: after its first failure, which it tells, or with tracking off it does nothing."""
    return FailsafeRun(Writer()) if is_enabled() else NullRun()


class Writer:
    """Writes into the store; see `writer`."""

    def write(self, group: str, whole: CompletedRun, parts: Sequence[CompletedRun], folder: Path | None = None) -> None:
        """Write a run and those that are its parts, which MLflow shows beneath it.

        What is there is left alone: a part by its name, the whole but for new figures. After a failure the next time
        goes on where this one ended.

        Args:
            group: what tells this run from any other of its name.
            whole: the run of all.
            parts: the runs beneath it, each with a name of its own.
            folder: kept with the whole as its artifact `report`.
        """
        from filelock import FileLock
        from mlflow import MlflowClient

        connect()
        client = MlflowClient()
        with FileLock(project_root() / ".modelyard" / "past_runs.lock"):  # two writers would write everything twice
            known, tags = _known(client, group), {GROUP: group, **environment_tags()}
            parent = known.get(whole.name) or _begin(client, whole, tags)
            tags["mlflow.parentRunId"] = parent.info.run_id
            for part in parts:
                run = known.get(part.name) or _begin(client, part, tags)
                if not _is_whole(run, part):
                    _complete(client, run, part)
            _complete(client, parent, whole)
            if folder:
                client.log_artifacts(parent.info.run_id, str(folder), "report")


def _known(client: "MlflowClient", group: str) -> dict[str, "Run"]:
    """The runs of a group by their names."""
    found = client.search_runs([_experiment(client)], f"tags.`{GROUP}` = '{group}'", max_results=MOST_RUNS)
    return {run.info.run_name: run for run in found}


def _begin(client: "MlflowClient", run: CompletedRun, tags: Mapping[str, str]) -> "Run":
    return client.create_run(_experiment(client), _milliseconds(run.start_time), dict(tags), run.name)


def _is_whole(known: "Run", run: CompletedRun) -> bool:
    """Whether all was written; one whose writer was killed is still running, or was shown as failed since."""
    return known.info.status == run.status and run.tags.items() <= known.data.tags.items()


def _complete(client: "MlflowClient", begun: "Run", run: CompletedRun) -> None:
    from mlflow.entities import Metric, Param, RunTag

    run_id = begun.info.run_id
    metrics = [Metric(each.name, each.value, _milliseconds(each.timestamp), each.step) for each in run.metrics]
    params = [Param(name, str(value)) for name, value in run.params.items()]
    tags = [RunTag(name, value) for name, value in run.tags.items()]
    client.log_batch(run_id, params=params, tags=tags)
    for start in range(0, len(metrics), METRICS_PER_BATCH):
        client.log_batch(run_id, metrics[start : start + METRICS_PER_BATCH])
    if ERROR in begun.data.tags and ERROR not in run.tags:  # its writer's, not its own
        client.delete_tag(run_id, ERROR)
    client.set_terminated(run_id, run.status, _milliseconds(run.end_time))


def _experiment(client: "MlflowClient") -> str:
    return client.get_experiment_by_name(MLFLOW_EXPERIMENT).experiment_id


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
