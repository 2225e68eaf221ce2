"""The result tables: of each data set its experiments, each with its interval on the table's scale."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from modelyard.experiments.compare import REBUILT
from modelyard.reporting.interval_bars import Bar, Scale


@dataclass(frozen=True)
class Figure:
    """A metric of an experiment with its 95 % interval, and what was published of it."""

    metric: str
    value: float
    low: float
    high: float
    published: float | None
    inside: bool

    @property
    def told(self) -> str:
        """The figure and its interval in words."""
        return f"{self.value:.4g} ({self.low:.4g} to {self.high:.4g})"


@dataclass(frozen=True)
class Row:
    """An experiment in its table: its first figure as a bar, the others as numbers."""

    experiment: str
    notebook: str
    note: str
    state: str
    figures: tuple[Figure, ...]
    bar: Bar | None

    @property
    def remarks(self) -> str:
        """What is to be said of it, and whether it was built here."""
        return "; ".join(filter(None, [self.note, "" if self.state == REBUILT else self.state]))

    @property
    def first(self) -> Figure | None:
        """The figure that stands for it."""
        return self.figures[0] if self.figures else None


@dataclass(frozen=True)
class Table:
    """The experiments of a data set whose first metric is the same; `metric` is empty where none is built."""

    dataset: str
    metric: str
    scale: Scale | None
    rows: tuple[Row, ...]

    @property
    def others(self) -> tuple[str, ...]:
        """The metrics beside the first."""
        return tuple(dict.fromkeys(figure.metric for row in self.rows for figure in row.figures[1:]))


def tables(compared: pd.DataFrame) -> list[Table]:
    """The comparison as tables, in its order."""
    first = compared.groupby("experiment", sort=False).metric.first().fillna("")
    groups = compared.groupby(["dataset", compared.experiment.map(first)], sort=False)
    return [_table(dataset, metric, rows) for (dataset, metric), rows in groups]


def _table(dataset: str, metric: str, rows: pd.DataFrame) -> Table:
    drawn = rows[(rows.metric == metric) & rows.value.notna()]
    values = pd.concat([drawn.low, drawn.high, drawn.published.dropna()]).astype(float)
    scale = Scale.of(values) if len(values) else None
    return Table(dataset, metric, scale, tuple(_rows(rows, scale)))


def _rows(rows: pd.DataFrame, scale: Scale | None) -> Iterator[Row]:
    for name, each in rows.groupby("experiment", sort=False):
        figures = tuple(_figure(row) for row in each.dropna(subset="value").itertuples())
        about = each.iloc[0]
        bar = scale.bar((figures[0].low, figures[0].high), figures[0].value, figures[0].published) if figures else None
        yield Row(name, about.notebook, about.note, about.state, figures, bar)


def _figure(row: tuple) -> Figure:
    said = None if pd.isna(row.published) else float(row.published)
    return Figure(row.metric, row.value, row.low, row.high, said, said is not None and bool(row.inside))
