"""All experiments side by side: metrics with their intervals, published values, and what tuning gained."""

import sys
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from modelyard.core.errors import ModelyardError
from modelyard.core.report_text import markdown_table
from modelyard.experiments.distance_from_best import distances, of_samples, read_predictions
from modelyard.experiments.tasks import TASKS
from modelyard.metrics.bootstrap import Distance, PairedDifference, paired_difference
from modelyard.metrics.definitions import headline_metric, shown_metrics
from modelyard.params.project import Project, PublishedValues
from modelyard.params.results import ExperimentResults
from modelyard.params.study import tuned_name

REBUILT, EARLIER, MISSING = "rebuilt here", "from the repository, not built here", "not built yet"
UNREADABLE = "result not readable"
"""How the state of an experiment begins whose result files are broken, or of another task; the reason follows."""

COLUMNS = (
    "dataset",
    "experiment",
    "metric",
    "value",
    "low",
    "high",
    "published",
    "inside",
    "behind",
    "behind_low",
    "behind_high",
    "notebook",
    "state",
    "note",
)
LEGEND = (
    "Metrics on the test samples, each with its 95 % confidence interval over those samples (docs/intervals.md). "
    "*published* is the value that the notebook printed, inside our interval or outside it. The interval covers the "
    "choice of test samples only: another seed changes a metric too. *behind the best* is by how much the best "
    "experiment on the same test samples exceeds it in the first metric; the intervals of a table hold together "
    "(those of all pairs of experiments, by a paired bootstrap), and an experiment whose interval reaches 0 is "
    "indistinguishable from the best."
)
GAINS = (
    "The winner of each study against its baseline, the experiment that the study started from, on the same test "
    "samples, which no study sees. *difference* has the 95 % interval of a paired bootstrap over those samples, with "
    "one seed each: another seed changes both values too. `modelyard tune STUDY --confirm` trains both with several "
    "seeds, and `--apply` then writes a claim, which `modelyard replicate` tests on the test samples (claims.md)."
)


def compare(
    project: Project,
    published: Mapping[str, PublishedValues],
    results: Path,
    pretrained: Path,
    with_distances: bool = True,
) -> pd.DataFrame:
    """One row for each experiment of params.yaml and each of its metrics.

    Args:
        project: params.yaml.
        published: what the notebooks printed, by experiment.
        results: the folder that holds one folder of results for each experiment.
        pretrained: the same for the experiments that start from networks trained by others.
        with_distances: whether to fill in `behind`, for which all predictions are read and resampled.

    Returns:
        Columns: dataset, experiment, metric, value, low, high (95 % interval), published, inside (whether the
        published value lies in the interval), behind, behind_low, behind_high (of the main metric: by how much the
        best experiment on the same test samples exceeds it, with its interval), notebook, state, note. An experiment
        without readable results has one row without a metric.
    """
    files = {
        name: ExperimentResults((pretrained if name in project.pretrained else results) / name)
        for name in project.all_experiments
    }
    behind, nothing = distances(project, files) if with_distances else {}, PublishedValues(notebook="")
    rows = [
        row
        for name, of_experiment in files.items()
        for row in _rows(project, name, of_experiment, published.get(name, nothing), behind.get(name))
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    order = {dataset: position for position, dataset in enumerate(project.datasets)}
    return table.sort_values("dataset", key=lambda column: column.map(order), kind="stable", ignore_index=True)


def scores(table: pd.DataFrame) -> pd.DataFrame:
    """The headline metric of each built experiment; columns: experiment, metric, score."""
    headline = table.groupby("experiment", sort=False).head(1).dropna(subset="value")
    return headline[["experiment", "metric", "value"]].rename(columns={"value": "score"})


def markdown(table: pd.DataFrame, gains: Mapping[str, PairedDifference]) -> str:
    """The comparison as a page: a table for each data set, and what tuning gained (see `tuning_gains`)."""
    parts = ["# Comparison", LEGEND]
    for dataset, rows in table.groupby("dataset", sort=False):
        parts.append(f"## {dataset}\n\n{_metric_table(rows)}")
    if gains:
        parts += ["## Tuned experiments", GAINS, _gain_table(gains)]
    return "\n\n".join(parts) + "\n"


def overview(table: pd.DataFrame) -> pd.DataFrame:
    """One row for each experiment with its headline metric, where there is room for one.

    Columns: experiment, notebook, value (the metric with its interval), published, remarks.
    """
    lines = []
    for name, rows in table.groupby("experiment", sort=False):
        headline = rows.head(1).dropna(subset="value")
        value = "".join(f"{row.metric} {_with_interval(row)}" for row in headline.itertuples())
        first = rows.iloc[0]
        lines.append((name, first.notebook, value, _published(headline), remarks(rows)))
    return pd.DataFrame(lines, columns=["experiment", "notebook", "value", "published", "remarks"])


def remarks(rows: pd.DataFrame) -> str:
    """The published note of one experiment, warnings about its metrics, and the state of its results."""
    first = rows.iloc[0]
    return "; ".join(filter(None, [first.note, _warning(rows), "" if first.state == REBUILT else first.state]))


def tuning_gains(project: Project, results: Path) -> dict[str, PairedDifference]:
    """By experiment, what the winner of its study gains in the headline metric on the same test samples.

    Only experiments whose predictions, and those of their tuned version, are here and can be paired by sample.
    """
    gains = {}
    for name in project.experiments:
        files = [ExperimentResults(results / each).predictions for each in (name, tuned_name(name))]
        if not all(file.exists() for file in files):
            continue
        task = project.task_of(name)
        metric = headline_metric(task)
        try:
            columns = [read_predictions(file) for file in files]
            baseline, tuned = map(TASKS[task].metrics_from_table, columns)
            if metric in baseline:
                if not np.array_equal(*map(of_samples, columns)):
                    raise ValueError("they are of other test samples")
                gains[name] = paired_difference(metric, baseline[metric], tuned[metric])
        # They may be of another task, half-written, or of other samples.
        except (KeyError, StopIteration, TypeError, ValueError) as error:
            print(  # noqa: T201
                f"warning: the gain of {tuned_name(name)} is left out: its predictions.csv or that of {name} is not "
                f"readable ({type(error).__name__}: {error}). Build them again: modelyard run",
                file=sys.stderr,
            )
    return gains


def _rows(
    project: Project, name: str, results: ExperimentResults, published: PublishedValues, distance: Distance | None
) -> Iterator[dict[str, Any]]:
    common = {"dataset": project.dataset_of(name), "experiment": name}
    group = project.inputs[project.all_experiments[name].input].split.group
    grouped = f"the intervals take the samples of each {group} as independent, which makes them too narrow"
    note = "; ".join(filter(None, [published.note, grouped if group else ""]))
    about = {"notebook": published.notebook, "state": _state(results), "note": note}
    if about["state"] == MISSING:
        yield common | about
        return
    try:
        compared = results.compared(shown_metrics(project.task_of(name), results.metrics))
        folds = results.folds
    except ModelyardError as error:
        yield common | about | {"state": f"{UNREADABLE}: {error}. To build it again: modelyard run {name}"}
        return
    if folds:
        about["note"] = "; ".join(filter(None, [note, folds.text(next(iter(compared)))]))
    for metric, (value, low, high) in compared.items():
        printed = published.metrics.get(metric)
        inside = None if printed is None else _is_inside(printed, low, high)
        measured = {"metric": metric, "value": value, "low": low, "high": high}
        yield common | measured | {"published": printed, "inside": inside} | _behind(distance) | about
        distance = None  # it is of the main metric, the first


def _behind(distance: Distance | None) -> dict[str, float]:
    if distance is None:
        return {}
    return {"behind": distance.value, "behind_low": distance.interval.low, "behind_high": distance.interval.high}


def _is_inside(published: float, low: float, high: float) -> bool:
    """Whether a published value lies in an interval, up to the rounding of its last printed decimal."""
    rounding = 0.5 * 10.0 ** int(Decimal(str(published)).as_tuple().exponent)
    return bool(low - rounding <= published <= high + rounding)


def _state(results: ExperimentResults) -> str:
    if not results.is_evaluated:
        return MISSING
    return REBUILT if results.is_built else EARLIER


def _metric_table(rows: pd.DataFrame) -> str:
    metrics = [metric for metric in dict.fromkeys(rows.metric) if isinstance(metric, str)]
    lines = []
    for name, group in rows.groupby("experiment", sort=False):
        by_metric = group.set_index("metric")
        cells = [_with_interval(by_metric.loc[metric]) if metric in by_metric.index else "" for metric in metrics]
        behind = behind_best(group.iloc[0])
        lines.append([f"`{name}`", group.iloc[0].notebook, *cells, behind, _published(group), remarks(group)])
    return markdown_table(["experiment", "notebook", *metrics, "behind the best", "published", "remarks"], lines)


def behind_best(row: Any) -> str:
    """How far the experiment of a row with the main metric is behind the best, and whether it could be the best."""
    if pd.isna(row.behind):
        return ""
    if row.behind == 0 == row.behind_high:
        return "**best**"
    distance = f"{row.behind:.4g} ({row.behind_low:.4g} to {row.behind_high:.4g})"
    return f"{distance}, **indistinguishable**" if is_indistinguishable(row) else distance


def is_indistinguishable(row: Any) -> bool:
    """Whether the experiment of a row with the main metric is the best, or its distance from the best reaches 0."""
    return bool(row.behind_low <= 0)


def _gain_table(gains: Mapping[str, PairedDifference]) -> str:
    lines = [
        (f"`{name}`", gain.metric, f"{gain.old:.4g}", f"{gain.new:.4g}", f"{gain.gain:+.4g} ({gain.within})")
        for name, gain in gains.items()
    ]
    return markdown_table(["experiment", "metric", "baseline", "tuned", "difference"], lines)


def _warning(rows: pd.DataFrame) -> str:
    """A high correlation can hide it: predictions may rise and fall with the targets and still lie far from them."""
    below = rows[(rows.metric == "r2") & (rows.value < 0)]
    return "".join(f"worse than the mean of the targets: r2 {value:.4g}" for value in below.value)


def _with_interval(row: Any) -> str:
    return f"{row.value:.4g} ({row.low:.4g} to {row.high:.4g})"


def _published(rows: pd.DataFrame) -> str:
    printed = rows[rows.published.notna()]
    return ", ".join(
        f"{row.metric} {row.published:.4g} {'inside' if row.inside else 'outside'}" for row in printed.itertuples()
    )
