"""Every experiment side by side: our figures with their intervals, and what the notebooks published."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd

from modelyard.core.markdown import markdown_table
from modelyard.metrics.definitions import shown_metrics
from modelyard.params.project import Project, PublishedValues
from modelyard.params.results import ExperimentResults

REBUILT, EARLIER, MISSING = "rebuilt here", "committed earlier, not rebuilt here", "not built yet"

COLUMNS = (
    "dataset",
    "experiment",
    "metric",
    "value",
    "low",
    "high",
    "published",
    "inside",
    "notebook",
    "state",
    "note",
)


def compare(
    project: Project, published: Mapping[str, PublishedValues], results: Path, pretrained: Path
) -> pd.DataFrame:
    """One row for each experiment of params.yaml and each of its metrics.

    `results` holds a folder of each experiment, `pretrained` of those that start from networks that others trained.

    Columns: dataset, experiment, metric, value, low, high (95 % interval), published, inside (whether the published
    figure lies in the interval), notebook, state, note. An experiment without results has one row without a metric.
    """
    rows = [
        row
        for name in project.all_experiments
        for row in _rows(
            project,
            name,
            ExperimentResults((pretrained if name in project.pretrained else results) / name),
            published.get(name, PublishedValues(notebook="")),
        )
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    order = {dataset: position for position, dataset in enumerate(project.datasets)}
    return table.sort_values("dataset", key=lambda column: column.map(order), kind="stable", ignore_index=True)


def scores(table: pd.DataFrame) -> pd.DataFrame:
    """The one figure that stands for each built experiment: experiment, metric, score."""
    headline = table.groupby("experiment", sort=False).head(1).dropna(subset="value")
    return headline[["experiment", "metric", "value"]].rename(columns={"value": "score"})


def markdown(table: pd.DataFrame) -> str:
    """The comparison for people: one table per data set, each figure with its interval."""
    parts = ["# Comparison", _legend()]
    for dataset, rows in table.groupby("dataset", sort=False):
        parts.append(f"## {dataset}\n\n{_metric_table(rows)}")
    return "\n\n".join(parts) + "\n"


def overview(table: pd.DataFrame) -> pd.DataFrame:
    """One row an experiment, for where there is room for one figure: experiment, notebook, figure, published, remarks.

    The figure is the first of the task's metrics with its interval, published is the notebook's own.
    """
    lines = []
    for name, rows in table.groupby("experiment", sort=False):
        headline = rows.head(1).dropna(subset="value")
        figure = "".join(f"{row.metric} {_figure(row)}" for row in headline.itertuples())
        first = rows.iloc[0]
        lines.append((name, first.notebook, figure, _published(headline), _remarks(rows)))
    return pd.DataFrame(lines, columns=["experiment", "notebook", "figure", "published", "remarks"])


def _rows(
    project: Project, name: str, results: ExperimentResults, published: PublishedValues
) -> Iterator[dict[str, Any]]:
    common = {"dataset": project.dataset_of(name), "experiment": name}
    about = {"notebook": published.notebook, "state": _state(results), "note": published.note}
    if about["state"] == MISSING:
        yield common | about
        return
    values, intervals = results.metrics, results.intervals
    for metric in shown_metrics(project.task_of(name)):
        low, high = intervals[metric]
        said = published.metrics.get(metric)
        inside = None if said is None else _is_inside(said, low, high)
        figure = {"metric": metric, "value": values[metric], "low": low, "high": high}
        yield common | figure | {"published": said, "inside": inside} | about


def _is_inside(said: float, low: float, high: float) -> bool:
    """Whether a published figure lies in an interval, to the last decimal that was printed."""
    rounding = 0.5 * 10.0 ** int(Decimal(str(said)).as_tuple().exponent)
    return bool(low - rounding <= said <= high + rounding)


def _state(results: ExperimentResults) -> str:
    if not results.is_evaluated:
        return MISSING
    return REBUILT if results.is_built else EARLIER


def _legend() -> str:
    return (
        "Figures on the test rows, each with its 95 % bootstrap interval over those rows. *published* is the "
        "notebook's own figure, inside our interval or outside it. The interval is about the test rows alone: "
        "another seed moves a figure as well."
    )


def _metric_table(rows: pd.DataFrame) -> str:
    metrics = [metric for metric in dict.fromkeys(rows.metric) if isinstance(metric, str)]
    lines = []
    for name, each in rows.groupby("experiment", sort=False):
        by_metric = each.set_index("metric")
        cells = [_figure(by_metric.loc[metric]) if metric in by_metric.index else "" for metric in metrics]
        first = each.iloc[0]
        lines.append([f"`{name}`", first.notebook, *cells, _published(each), _remarks(each)])
    return markdown_table(["experiment", "notebook", *metrics, "published", "remarks"], lines)


def _remarks(rows: pd.DataFrame) -> str:
    first = rows.iloc[0]
    return "; ".join(filter(None, [first.note, _warning(rows), "" if first.state == REBUILT else first.state]))


def _warning(rows: pd.DataFrame) -> str:
    """What a correlation hides: answers that rise and fall with the truth may lie far from it."""
    below = rows[(rows.metric == "r2") & (rows.value < 0)]
    return "".join(f"worse than the mean of the targets: r2 {value:.4g}" for value in below.value)


def _figure(row: pd.Series) -> str:
    return f"{row.value:.4g} ({row.low:.4g} to {row.high:.4g})"


def _published(rows: pd.DataFrame) -> str:
    said = rows[rows.published.notna()]
    return ", ".join(
        f"{row.metric} {row.published:.4g} {'inside' if row.inside else 'outside'}" for row in said.itertuples()
    )
