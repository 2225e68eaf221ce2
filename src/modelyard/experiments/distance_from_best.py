"""How far each experiment is behind the best of those that predicted the same test samples."""

import hashlib
import math
import sys
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from modelyard.core.errors import ModelyardError
from modelyard.experiments.tasks import TASKS
from modelyard.metrics.bootstrap import Distance, distances_from_best
from modelyard.metrics.definitions import BoundMetric, headline_metric
from modelyard.params.project import Project
from modelyard.params.results import ExperimentResults

OF_SAMPLES = ("truth", "squared_distance")
"""Columns of a predictions.csv that depend on the test samples alone: where they are equal, so are the samples."""


def distances(project: Project, results: Mapping[str, ExperimentResults]) -> dict[str, Distance]:
    """The distance of each experiment whose predictions are here, and share the test samples with those of another.

    Where the metric of an experiment without predictions is higher than that of the best, there are none: the best
    is not among those that can be compared.
    """
    groups: dict[tuple[str, ...], dict[str, BoundMetric]] = defaultdict(dict)
    elsewhere: dict[tuple[str, ...], float] = {}
    for name, files in results.items():
        task = project.task_of(name)
        metric = headline_metric(task)
        if not files.predictions.exists():
            with suppress(ModelyardError, OSError):
                of_data, value = (project.dataset_of(name), metric), files.metrics.get(metric, -math.inf)
                elsewhere[of_data] = max(value, elsewhere.get(of_data, -math.inf))
            continue
        try:
            columns = read_predictions(files.predictions)
            bound = TASKS[task].metrics_from_table(columns)
            if metric in bound:
                key = (project.dataset_of(name), metric, hashlib.sha256(of_samples(columns).tobytes()).hexdigest())
                groups[key][name] = bound[metric]
        except (KeyError, StopIteration, TypeError, ValueError) as error:  # of another task, half-written
            print(  # noqa: T201
                f"warning: {name} is not compared with the best: its predictions.csv is not readable "
                f"({type(error).__name__}: {error}). Build it again: modelyard run {name}",
                file=sys.stderr,
            )
    compared = (
        group
        for (dataset, metric, _), group in groups.items()
        if len(group) > 1
        and max(model.value for model in group.values()) >= elsewhere.get((dataset, metric), -math.inf)
    )
    return {
        name: distance
        for group in compared
        for name, distance in zip(group, distances_from_best(list(group.values())), strict=True)
    }


def of_samples(columns: Mapping[str, Any]) -> Any:
    """The column of predictions that depends on the test samples alone.

    Raises:
        StopIteration: there is none.
    """
    return next(columns[name] for name in OF_SAMPLES if name in columns)


def read_predictions(file: Path) -> dict[str, Any]:
    """The columns of a predictions.csv."""
    return {str(name): column.to_numpy() for name, column in pd.read_csv(file).items()}
