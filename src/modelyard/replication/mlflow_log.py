"""Runs over seeds in MLflow: one run for each series, and one beneath it for each seed."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from modelyard.core.config import flat
from modelyard.core.files import read_json
from modelyard.metrics.definitions import headline_metric
from modelyard.params.variants import GAP, ResolvedExperiment
from modelyard.replication.seed_statistics import seed_statistics
from modelyard.replication.series import Series
from modelyard.tracking import nested_runs
from modelyard.tracking.nested_runs import CompletedRun, LoggedMetric


def write(wanted: Iterable[Series], kept: Path) -> None:
    """Write what the diary does not have yet of these series; one of which nothing was run leaves nothing."""
    writer = nested_runs.nested_run_writer()
    for series in {(each.experiment, each.key): each for each in wanted}.values():
        runs = [_part(series, file) for file in series.files(kept).values()]
        if runs:
            writer.write(f"replication {series.experiment} {series.key}", _whole(series, runs), runs)


def _whole(series: Series, runs: list[CompletedRun]) -> CompletedRun:
    ended = max(run.end_time for run in runs)
    values = _values(runs)
    return CompletedRun(
        name=f"{series.title}, over seeds",
        status="FINISHED",
        start_time=min(run.start_time for run in runs),
        end_time=ended,
        params=_params(series.resolved),
        metrics=[LoggedMetric(name, value, len(runs), ended) for name, value in _spreads(values)],
        tags={"experiment": series.experiment, "mlflow.note.content": _note(series, values)},
    )


def _part(series: Series, file: Path) -> CompletedRun:
    """One run, which ended when its file was written."""
    content, ended = read_json(file), datetime.fromtimestamp(file.stat().st_mtime, UTC)
    cost = {"epochs": content["epochs"], "seconds": content["seconds"]}
    figures = {_as_of_any_run(name): value for name, value in content["figures"].items()}
    return CompletedRun(
        name=f"{series.experiment} seed {content['seed']}",
        status="FINISHED",
        start_time=ended - timedelta(seconds=content["seconds"]),
        end_time=ended,
        params=_params(series.resolved.with_seed_offset(series.number(content["seed"]), series.splits)),
        metrics=[LoggedMetric(name, value, 0, ended) for name, value in {**figures, **cost}.items()],
        tags={"experiment": series.experiment},
    )


def _as_of_any_run(name: str) -> str:
    """A figure's name as the runs of the pipeline have it, so that they stand in one column."""
    return name if name.startswith("val_") or name == GAP else f"test_{name}"


def _values(runs: list[CompletedRun]) -> dict[str, np.ndarray]:
    """The values of each figure that every run has, run by run."""
    found = [{figure.name: figure.value for figure in run.metrics} for run in runs]
    return {name: np.array([each[name] for each in found]) for name in found[0] if all(name in each for each in found)}


def _spreads(values: Mapping[str, np.ndarray]) -> Iterator[tuple[str, float]]:
    for name, each in values.items():
        for part, value in seed_statistics(each)._asdict().items():
            if value is not None:
                yield f"{name}_{part}", value


def _params(resolved: ResolvedExperiment) -> dict[str, Any]:
    """Every setting by dotted key; those of a network that it starts from begin with `backbone.`."""
    own = flat(resolved.experiment.model_dump(mode="json")) | flat(resolved.input.model_dump(mode="json"), "input.")
    start = _params(resolved.backbone) if resolved.backbone else {}
    return own | {f"backbone.{key}": value for key, value in start.items()}


def _note(series: Series, values: Mapping[str, np.ndarray]) -> str:
    """What MLflow shows on top of the run's page."""
    name = f"test_{headline_metric(series.resolved.task)}"
    found = seed_statistics(values[name])
    interval = "" if found.low is None else f", 95 % interval {found.low:.4g} to {found.high:.4g}"
    return f"{name} over {len(values[name])} seeds: mean {found.mean:.4g}{interval}."
