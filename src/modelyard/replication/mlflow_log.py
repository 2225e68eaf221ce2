"""Logs replications to MLflow: one run per series, and a child run per seed."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from modelyard.core.config import flatten
from modelyard.core.files import read_json
from modelyard.metrics.definitions import headline_metric
from modelyard.params.variants import GAP, ResolvedExperiment
from modelyard.replication.seed_statistics import seed_statistics
from modelyard.replication.series import Series
from modelyard.tracking import nested_runs
from modelyard.tracking.nested_runs import ERROR, CompletedRun, LoggedMetric


def write(wanted: Iterable[Series], folder: Path, kind: str = "replication") -> None:
    """Log the kept runs of these series that MLflow does not have yet.

    Args:
        wanted: the series.
        folder: the folder that holds the runs of all series.
        kind: what the runs are for: equal series can have runs of several kinds.
    """
    writer = nested_runs.nested_run_writer()
    for series in {(each.experiment, each.key): each for each in wanted}.values():
        runs = [_seed_run(series, file) for file in series.files(folder).values()]
        if runs:
            writer.write(f"{kind} {series.experiment} {series.key}", _series_run(series, runs), runs)


def _series_run(series: Series, runs: list[CompletedRun]) -> CompletedRun:
    end = max(run.end_time for run in runs)
    values = _values_by_metric(runs)
    return CompletedRun(
        name=f"{series.title}, over seeds",
        status="FINISHED",
        start_time=min(run.start_time for run in runs),
        end_time=end,
        params=_params(series.resolved),
        metrics=[LoggedMetric(name, value, len(runs), end) for name, value in _statistics(series, values)],
        tags={"experiment": series.experiment, "mlflow.note.content": _description(series, values, runs)},
    )


def _seed_run(series: Series, file: Path) -> CompletedRun:
    """A kept run; it ended when its file was written."""
    content, end = read_json(file), datetime.fromtimestamp(file.stat().st_mtime, UTC)
    values = {_metric_name(name): value for name, value in content["metrics"].items() if value is not None}
    values |= {name: content[name] for name in ("epochs", "seconds") if name in content}
    diverged = {ERROR: content["diverged"]} if "diverged" in content else {}
    return CompletedRun(
        name=f"{series.experiment} seed {content['seed']}",
        status="FAILED" if diverged else "FINISHED",
        start_time=end - timedelta(seconds=content["seconds"]),
        end_time=end,
        params=_params(series.resolved.with_seed_offset(series.seed_offset(content["seed"]), series.splits)),
        metrics=[LoggedMetric(name, value, 0, end) for name, value in values.items()],
        tags={"experiment": series.experiment, **diverged},
    )


def _metric_name(name: str) -> str:
    """A metric's name as in the runs of the pipeline, so that MLflow shows both in one column."""
    return name if name.startswith("val_") or name == GAP else f"test_{name}"


def _values_by_metric(runs: list[CompletedRun]) -> dict[str, np.ndarray]:
    """The values of each metric that all runs have, one per run."""
    of_runs = [{metric.name: metric.value for metric in run.metrics} for run in runs]
    common = [name for name in of_runs[0] if all(name in values for values in of_runs)]
    return {name: np.array([values[name] for values in of_runs]) for name in common}


def _statistics(series: Series, values_by_metric: Mapping[str, np.ndarray]) -> Iterator[tuple[str, float]]:
    for name, values in values_by_metric.items():
        for statistic, value in seed_statistics(values, series.test_ratio(name))._asdict().items():
            if value is not None:
                yield f"{name}_{statistic}", value


def _params(resolved: ResolvedExperiment) -> dict[str, Any]:
    """Every setting by dotted key; those of the backbone's experiment have the prefix `backbone.`."""
    own = flatten(resolved.experiment.model_dump(mode="json"))
    own |= flatten(resolved.input.model_dump(mode="json"), "input.")
    backbone = _params(resolved.backbone) if resolved.backbone else {}
    return own | {f"backbone.{key}": value for key, value in backbone.items()}


def _description(series: Series, values_by_metric: Mapping[str, np.ndarray], runs: list[CompletedRun]) -> str:
    """The text that MLflow shows at the top of the run's page."""
    if diverged := sum(ERROR in run.tags for run in runs):
        return f"{diverged} of {len(runs)} trainings diverged: their metrics have no statistics over seeds."
    headline = f"test_{headline_metric(series.resolved.task)}"
    name = headline if headline in values_by_metric else next(iter(values_by_metric))
    statistics = seed_statistics(values_by_metric[name], series.test_ratio(name))
    interval = ", 95 % interval {:.4g} to {:.4g}".format(*statistics.interval) if statistics.interval else ""
    return f"{name} over {len(values_by_metric[name])} seeds: mean {statistics.mean:.4g}{interval}."
