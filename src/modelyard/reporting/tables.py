"""The result tables: the experiments of each data set, with their metrics and intervals."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from modelyard.experiments.compare import behind_best, is_indistinguishable, remarks
from modelyard.reporting.interval_bars import BarAxis, IntervalBar


def interval_text(value: float, low: float, high: float) -> str:
    """A value and its interval."""
    return f"{value:.4g} ({low:.4g} to {high:.4g})"


@dataclass(frozen=True)
class MetricWithInterval:
    """A metric of an experiment with its 95 % interval and the published value, if there is one."""

    metric: str
    value: float
    low: float
    high: float
    published: float | None
    is_inside: bool

    @property
    def text(self) -> str:
        """The value and its interval."""
        return interval_text(self.value, self.low, self.high)


@dataclass(frozen=True)
class ResultRow:
    """An experiment in its table.

    Attributes:
        experiment: its name.
        notebook: the notebook that it comes from.
        remarks: what the table says of it.
        state: whether it was built here.
        metrics: its metrics, the headline metric first.
        bar: the headline metric; None without results.
        behind: by how much the best experiment exceeds it, as text; empty if they share no test samples.
        behind_bar: the same, on an axis of its own.
        could_be_best: whether it is the best, or indistinguishable from it.
    """

    experiment: str
    notebook: str
    remarks: str
    state: str
    metrics: tuple[MetricWithInterval, ...]
    bar: IntervalBar | None
    behind: str = ""
    behind_bar: IntervalBar | None = None
    could_be_best: bool = False

    @property
    def headline(self) -> MetricWithInterval | None:
        """The headline metric; None without results."""
        return self.metrics[0] if self.metrics else None


@dataclass(frozen=True)
class ResultTable:
    """The experiments of a data set that share a headline metric; `metric` is empty for those without results."""

    dataset: str
    metric: str
    axis: BarAxis | None
    rows: tuple[ResultRow, ...]
    behind_axis: BarAxis | None = None

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of all rows, the headline metric first."""
        return tuple(dict.fromkeys(result.metric for row in self.rows for result in row.metrics))


def result_tables(compared: pd.DataFrame) -> list[ResultTable]:
    """The rows of a comparison (see experiments.compare) as tables, in their order."""
    headline = compared.groupby("experiment", sort=False).metric.first().fillna("")
    groups = compared.groupby(["dataset", compared.experiment.map(headline)], sort=False)
    return [_table(str(dataset), str(metric), rows) for (dataset, metric), rows in groups]


def _table(dataset: str, metric: str, rows: pd.DataFrame) -> ResultTable:
    in_bars = rows[(rows.metric == metric) & rows.value.notna()]
    values = pd.concat([in_bars.low, in_bars.high, in_bars.published.dropna()]).astype(float)
    axis = BarAxis.of(values) if len(values) else None
    ends = pd.concat([in_bars.behind_low, in_bars.behind_high]).dropna().astype(float)
    behind_axis = BarAxis.of([0.0, *ends]) if len(ends) else None
    return ResultTable(dataset, metric, axis, tuple(_rows(rows, axis, behind_axis)), behind_axis)


def _rows(rows: pd.DataFrame, axis: BarAxis | None, behind_axis: BarAxis | None) -> Iterator[ResultRow]:
    for name, group in rows.groupby("experiment", sort=False):
        metrics = tuple(_metric(row) for row in group.dropna(subset="value").itertuples())
        first: Any = group.iloc[0]
        bar = behind_bar = None
        if axis and metrics:
            headline = metrics[0]
            bar = axis.bar(headline.low, headline.high, headline.value, headline.published)
        if behind_axis and pd.notna(first.behind):
            behind_bar = behind_axis.bar(first.behind_low, first.behind_high, first.behind)
        rank = (behind_best(first).replace("**", ""), behind_bar, is_indistinguishable(first))
        yield ResultRow(str(name), first.notebook, remarks(group), first.state, metrics, bar, *rank)


def _metric(row: Any) -> MetricWithInterval:
    """One row of a comparison; pandas gives rows no type."""
    published = None if pd.isna(row.published) else float(row.published)
    return MetricWithInterval(
        row.metric, row.value, row.low, row.high, published, published is not None and bool(row.inside)
    )
