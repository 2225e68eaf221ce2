"""What tuning gained: the winner of a study beside the experiment that it began from, on the same test rows."""

from pathlib import Path

from modelyard.core.markdown import markdown_table
from modelyard.data.samples import Task
from modelyard.metrics.bootstrap import PairedDifference, paired_difference
from modelyard.metrics.definitions import BoundMetric, bound_metrics, headline_metric
from modelyard.params.project import Project
from modelyard.params.study import tuned_name

ABOUT = (
    "The winner of each study beside the experiment that it began from, on the same test rows, which no study sees. "
    "The 95 % interval is that of a paired bootstrap over those rows; another seed moves both figures as well."
)


def gains(project: Project, results: Path) -> dict[str, PairedDifference]:
    """By experiment, what its tuned one gains in the metric that stands for the task.

    Only where both were rebuilt: their predictions are compared row by row.
    """
    found = {}
    for name in project.experiments:
        task = project.task_of(name)
        files = [results / each / "predictions.csv" for each in (name, tuned_name(name))]
        if task != "detection" and all(file.exists() for file in files):
            metric = headline_metric(task)
            found[name] = paired_difference(metric, *(_measure(file, task, metric) for file in files))
    return found


def markdown(found: dict[str, PairedDifference]) -> str:
    """The gains for people; nothing where there are none."""
    if not found:
        return ""
    lines = [
        (f"`{name}`", each.metric, f"{each.old:.4g}", f"{each.new:.4g}", f"{each.gain:+.4g} ({each.within})")
        for name, each in found.items()
    ]
    table = markdown_table(["experiment", "metric", "as it is", "tuned", "gain"], lines)
    return f"\n## What tuning gained\n\n{ABOUT}\n\n{table}\n"


def _measure(file: Path, task: Task, metric: str) -> BoundMetric:
    import pandas as pd

    return bound_metrics(task, {name: column.to_numpy() for name, column in pd.read_csv(file).items()})[metric]
