"""What people read of runs in MLflow: a description in Markdown, and the tags that come first."""

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from modelyard import params
from modelyard.core.errors import ModelyardError
from modelyard.core.files import read_text
from modelyard.metrics.definitions import headline_metric

NOTE = "mlflow.note.content"  # the tag that MLflow shows as description
RESULT, PUBLISHED = "result", "published"
NO_RESULT = "not evaluated"
FIGURES = "figures"  # the folder of plots among the artifacts of a run
FIRST_PLOT = "learning_curve.png"  # of a folder of plots; the others follow by name
CARD_LINK = re.compile(r" ?\[Model card\]\([^)]*\)")
ONE_EPOCH = 2  # lines of a history, with its header


class ExperimentText(NamedTuple):
    """What the settings files say of an experiment.

    Attributes:
        what: model family, data set and note, in Markdown.
        metric: the headline metric; empty where the settings cannot be read.
        published: the published value of that metric, if there is one.
    """

    what: str = ""
    metric: str = ""
    published: str = ""


def text_of(experiment: str) -> ExperimentText:
    """What the settings files in this folder say of an experiment."""
    with suppress(ModelyardError):  # a run is no reason to refuse settings: who needs them has read them
        project = params.load()
        published = params.load_published(project).get(experiment)
        if experiment in project.all_experiments:
            settings, dataset = project.all_experiments[experiment], project.dataset_of(experiment)
            described = project.datasets[dataset].description
            what = f"Model family `{settings.model.family}` on the data set `{dataset}`: {described.rstrip('.')}."
            note = f" Note: {published.note}." if published and published.note else ""
            metric = headline_metric(project.task_of(experiment))
            value = published.metrics.get(metric) if published else None
            return ExperimentText(what + note, metric, "" if value is None else f"{metric} {value:.4g}")
    return ExperimentText()


def first_tags(experiment: str) -> dict[str, str]:
    """The tags with which a run starts: MLflow shows tags in the order in which they were first set."""
    text = text_of(experiment)
    tags = {RESULT: NO_RESULT, PUBLISHED: text.published, NOTE: text.what}
    return {tag: value for tag, value in tags.items() if value}


def result_tags(
    experiment: str, metrics: Mapping[str, float], details: Mapping[str, Any], plots: Path, run_id: str
) -> dict[str, str]:
    """The tags of an evaluated run: its result, and a description with it and a plot."""
    text = text_of(experiment)
    metric = text.metric if text.metric in metrics else next(iter(metrics))
    value = f"{metric} {metrics[metric]:.4g}"
    low_high = " to ".join(f"{end:.4g}" for end in details["intervals"].get(metric, ()))
    interval = f" (95 % interval {low_high})" if low_high else ""
    samples = f" on {details['rows']} test samples" if "rows" in details else ""
    published = f" The published value is {text.published}." if text.published else ""
    result = f"**{value}**{interval}{samples}.{published}"
    parts = [text.what, result] + ([_image(plot, run_id)] if (plot := _plot(plots)) else [])
    tags = {RESULT: f"{value} ({low_high})" if low_high else value, NOTE: "\n\n".join(filter(None, parts))}
    return tags | ({PUBLISHED: text.published} if text.published else {})


def with_card(tags: Mapping[str, str], run: Any, card: str) -> str:
    """The description of a run with a link to its card, which is among its artifacts."""
    page = f"#/experiments/{run.experiment_id}/runs/{run.run_id}/artifacts/{card}?workflowType=machine_learning"
    first, *others = CARD_LINK.sub("", tags.get(NOTE, "")).split("\n\n")  # MLflow hides all but the first lines
    return "\n\n".join([f"{first} [Model card]({page})".strip(), *others])


def has_card(tags: Mapping[str, str]) -> bool:
    """Whether the description of a run links its card; a later evaluation describes the run anew."""
    return CARD_LINK.search(tags.get(NOTE, "")) is not None


def _plot(plots: Path) -> str:
    """The plot of a folder that says most, by its name; empty if there is none."""
    names = sorted(file.name for file in plots.glob("*.png"))
    history = plots.with_name("history.csv")
    has_curve = not history.exists() or len(read_text(history).splitlines()) > ONE_EPOCH
    first = FIRST_PLOT in names and has_curve
    return FIRST_PLOT if first else next((name for name in names if name != FIRST_PLOT), "")


def _image(plot: str, run_id: str) -> str:
    """A plot among the artifacts of a run, by the address at which MLflow's server has it."""
    caption = plot.removesuffix(".png").replace("_", " ")
    return f"![{caption}](get-artifact?path={FIGURES}/{plot}&run_uuid={run_id})"
