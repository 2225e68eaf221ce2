"""Metrics over seeds, from reports/replication.csv that `modelyard replicate` writes."""

import io
from dataclasses import dataclass
from typing import Any

import pandas as pd

from modelyard.replication.series import read_summary
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


def replication_rows(files: ProjectFiles) -> list[ReplicationRow]:
    """The headline metric of each replicated experiment, and every metric with a published value."""
    return files.attempt(REPLICATION, lambda: _read_rows(files), [])


def _read_rows(files: ProjectFiles) -> list[ReplicationRow]:
    text = files.text(REPLICATION)
    if text is None:
        return []
    table = read_summary(io.StringIO(text))
    is_headline = ~table.duplicated(["experiment", "splits"])
    return [_row(row) for row in table[is_headline | table.published.notna()].itertuples()]


def _row(row: Any) -> ReplicationRow:
    """One row of replication.csv; pandas gives rows no type."""
    published = None if pd.isna(row.published) else float(row.published)
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
        std="" if pd.isna(row.sd) else f"{row.sd:.2g}",
        min_to_max=f"{row.least:.4g} to {row.most:.4g}" if row.seeds > 1 else "",
        published=published,
        is_inside=published is not None and bool(row.inside),
        z="" if pd.isna(row.z) else f"{row.z:+.1f}",
        bar=bar,
    )
