"""Metrics over seeds, from reports/replication.csv that `modelyard replicate` writes."""

import io
from dataclasses import dataclass
from typing import Any

import pandas as pd

from modelyard.params.project import Project, Published
from modelyard.replication.series import has_other_settings, place_of, read_summary
from modelyard.reporting.interval_bars import BarAxis, IntervalBar
from modelyard.reporting.project_files import ProjectFiles

REPLICATION = "reports/replication.csv"


@dataclass(frozen=True)
class ReplicationRow:
    """A metric of an experiment over seeds, as text.

    Attributes:
        experiment: its name.
        splits: whether each seed drew its own test samples too.
        metric: its name.
        seeds: the number of runs.
        mean: with its 95 % interval.
        std: the standard deviation; empty for one run.
        min_to_max: the smallest and the largest value; empty for one run.
        published: the published value, if there is one.
        is_inside: whether the published value lies between the smallest and the largest value.
        z: the distance of the published value from the mean, in standard deviations.
        bar: from the smallest to the largest value; None without a published value.
        has_other_settings: whether the runs have settings that the experiment has no more.
    """

    experiment: str
    splits: bool
    metric: str
    seeds: int
    mean: str
    std: str
    min_to_max: str
    published: float | None
    is_inside: bool
    z: str
    bar: IntervalBar | None
    has_other_settings: bool = False


def replication_rows(files: ProjectFiles, project: Project, published: Published) -> list[ReplicationRow]:
    """The headline metric of each replicated experiment, and every metric with a published value."""
    return files.attempt(REPLICATION, lambda: _read_rows(files, project, published), [])


def _read_rows(files: ProjectFiles, project: Project, published: Published) -> list[ReplicationRow]:
    text = files.text(REPLICATION)
    if text is None:
        return []
    table = read_summary(io.StringIO(text))
    table = table[table.experiment.isin([*project.experiments, *project.transfers])]  # others are gone
    is_headline = ~table.duplicated(["experiment", "splits"])
    printed = {(name, metric): value for name, entry in published.items() for metric, value in entry.metrics.items()}
    rows: list[ReplicationRow] = []
    row: Any  # pandas types a cell as the union of all it could be
    for row, is_first in zip(table.itertuples(), is_headline, strict=True):
        value = printed.get((row.experiment, row.metric))
        if is_first or value is not None:
            rows.append(_row(row, value, has_other_settings(row, project)))
    return rows


def _row(row: Any, published: float | None, other_settings: bool) -> ReplicationRow:
    """One row of replication.csv with the value that is published now; pandas gives rows no type."""
    sd = None if pd.isna(row.sd) else float(row.sd)
    place = None if published is None else place_of(published, row.mean, sd, row.least, row.most)
    interval = "" if pd.isna(row.low) else f" ({row.low:.4g} to {row.high:.4g})"
    bar = None
    if row.seeds > 1 and published is not None:
        bar = BarAxis.of((row.least, row.most, published)).bar(row.least, row.most, row.mean, published)
    return ReplicationRow(
        experiment=row.experiment,
        splits=bool(row.splits),
        metric=row.metric,
        seeds=row.seeds,
        mean=f"{row.mean:.4g}{interval}",
        std="" if sd is None else f"{sd:.2g}",
        min_to_max=f"{row.least:.4g} to {row.most:.4g}" if row.seeds > 1 else "",
        published=published,
        is_inside=place is not None and place.inside,
        z="" if place is None or place.z is None else f"{place.z:+.1f}",
        bar=bar,
        has_other_settings=other_settings,
    )
