"""Writes ended runs into MLflow: a parent run with child runs; writing the same runs twice adds nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from modelyard.tracking.descriptions import NOTE, text_of
from modelyard.tracking.environment import environment_tags
from modelyard.tracking.failsafe import FailsafeRun, NullRun
from modelyard.tracking.store import connect, is_enabled, mlflow_experiment, project_root

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

GROUP = "group"  # the tag that a parent run and its children share
EXPERIMENT = "experiment"  # the tag with the name in params.yaml
ERROR = "error"  # the tag with the reason of a failure
METRICS_PER_BATCH = 900  # MLflow accepts 1000 entries at once, tags and parameters included
MAX_RUNS = 50_000  # of one search


class LoggedMetric(NamedTuple):
    """A metric's value at one step; MLflow keeps equal entries once."""

    name: str
    value: float
    step: int
    timestamp: datetime


@dataclass(frozen=True)
class CompletedRun:
    """An ended run, with the status that MLflow shows."""

    name: str
    status: Literal["FINISHED", "KILLED", "FAILED"]
    start_time: datetime
    end_time: datetime
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Sequence[LoggedMetric] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


def nested_run_writer() -> "NestedRunWriter | FailsafeRun | NullRun":
    """A writer of nested runs; with tracking off, and after its first failure, it does nothing."""
    return FailsafeRun(NestedRunWriter()) if is_enabled() else NullRun()


class NestedRunWriter:
    """Writes parent runs with their children into the store; see `nested_run_writer`."""

    def write(
        self, group: str, parent: CompletedRun, children: Sequence[CompletedRun], report: Path | None = None
    ) -> None:
        """Add what the store does not have yet: children by name, and new metrics of the parent.

        After a failure, the next call continues where this one stopped.

        Args:
            group: identifies the parent among runs of the same name.
            parent: the run that summarizes its children.
            children: the runs below it, each with a name of its own.
            report: a folder, logged as the parent's artifact `report`.
        """
        connect()
        from filelock import FileLock
        from mlflow import MlflowClient

        client = MlflowClient()
        experiments = {child.tags[EXPERIMENT] for child in children if EXPERIMENT in child.tags}
        what = {name: text_of(name).what for name in experiments}
        with FileLock(project_root() / ".modelyard" / "nested_runs.lock"):  # two writers would write everything twice
            known, tags = _known_runs(client, group), {GROUP: group, **environment_tags()}
            parent_run = known.get(parent.name) or _create(client, parent, tags)
            tags["mlflow.parentRunId"] = parent_run.info.run_id
            for child in children:
                note = "\n\n".join(filter(None, [what.get(child.tags.get(EXPERIMENT, "")), f"A run of {parent.name}."]))
                run = known.get(child.name) or _create(client, child, tags | {NOTE: note})
                if not _is_complete(run, child):
                    _complete(client, run, child)
            _complete(client, parent_run, parent)
            if report:
                client.log_artifacts(parent_run.info.run_id, str(report), "report")


def _known_runs(client: "MlflowClient", group: str) -> dict[str, "Run"]:
    """The runs of a group by name."""
    runs = client.search_runs([_experiment_id(client)], f"tags.`{GROUP}` = '{group}'", max_results=MAX_RUNS)
    return {run.info.run_name: run for run in runs}


def _create(client: "MlflowClient", run: CompletedRun, tags: Mapping[str, str]) -> "Run":
    return client.create_run(_experiment_id(client), _milliseconds(run.start_time), dict(tags), run.name)


def _is_complete(known: "Run", run: CompletedRun) -> bool:
    """Whether everything was written; if the writer was killed, the run still runs or was marked as failed since."""
    return bool(known.info.status == run.status and run.tags.items() <= known.data.tags.items())


def _complete(client: "MlflowClient", known: "Run", run: CompletedRun) -> None:
    from mlflow.entities import Metric, Param, RunTag

    run_id = known.info.run_id
    metrics = [Metric(each.name, each.value, _milliseconds(each.timestamp), each.step) for each in run.metrics]
    params = [Param(name, str(value)) for name, value in run.params.items()]
    tags = [RunTag(name, value) for name, value in run.tags.items()]
    client.log_batch(run_id, params=params, tags=tags)
    for start in range(0, len(metrics), METRICS_PER_BATCH):
        client.log_batch(run_id, metrics[start : start + METRICS_PER_BATCH])
    if ERROR in known.data.tags and ERROR not in run.tags:  # the error of a writer, not of the run
        client.delete_tag(run_id, ERROR)
    client.set_terminated(run_id, run.status, _milliseconds(run.end_time))


def _experiment_id(client: "MlflowClient") -> str:
    return str(client.get_experiment_by_name(mlflow_experiment()).experiment_id)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
