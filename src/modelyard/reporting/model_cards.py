"""A card for each model in Markdown: purpose, data, training, results, limits, and how to use and rebuild it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

import pandas as pd

from modelyard import params
from modelyard.core.errors import ModelyardError
from modelyard.core.files import write_text
from modelyard.core.report_text import duration_text, markdown_table, setting_text, without_markup
from modelyard.data.samples import Task
from modelyard.experiments.compare import compare
from modelyard.models.engine.training_settings import trained_epoch
from modelyard.params.project import Project, Published
from modelyard.params.results import FoldResults, results_of, results_root, train_stage
from modelyard.reporting.calibration import Calibration, read_calibration
from modelyard.reporting.changes import read_state, with_other_settings
from modelyard.reporting.data_cards import DatasetCard, InputCard, data_cards
from modelyard.reporting.experiments import (
    NOT_MEASURED,
    build_seconds,
    default_settings,
    read_measurements,
    stated_settings,
)
from modelyard.reporting.project_files import ProjectFiles
from modelyard.reporting.replication import ReplicationRow, replication_rows
from modelyard.serving.batch import FILES

TEMPLATE = "card.md.jinja"
WEAK_CLASS = 0.1  # of F1 below the mean of the classes: worth a warning
SHOWN_COLUMNS = 50
ANSWERS: dict[Task, str] = {
    "classification": "the class and its probability",
    "regression": "the prediction",
    "reconstruction": "the squared and the absolute error of the reconstruction, in scaled units",
    "detection": "the boxes that it finds, each with its class and score",
}
ONE_TRAINING = "The intervals cover the choice of test samples, not the random seed of the training."
OTHER_SETTINGS = (
    "Its results and its model are of other settings than these: params.yaml has changed since. To build it again: see "
    "below."
)
ANY_KIND = (
    "It predicts any sample, but its predictions for samples unlike the training samples mean little. "
    "`modelyard predict` marks such samples, and `modelyard check` tests for data drift."
)


@dataclass(frozen=True)
class CardSources:
    """What all cards of a project are made from: what the report shows too, and has read already."""

    root: Path
    project: Project
    published: Published
    published_inside: frozenset[tuple[str, str]]
    data_cards: list[DatasetCard]
    replication: list[ReplicationRow]
    outputs: dict[str, str]
    with_other_settings: frozenset[str]
    seconds: Mapping[str, float]

    @classmethod
    def read(cls, root: Path) -> "CardSources":
        """Read the files of a project.

        Raises:
            ModelyardError: params.yaml or published.yaml is wrong.
        """
        files, project = ProjectFiles(root), params.load(root / "params.yaml")
        published = params.load_published(project, root / "published.yaml")
        state = read_state(files)
        cards, others = data_cards(files, project, state.outputs), frozenset(with_other_settings(project, state))
        replication = replication_rows(files, project, published)
        own, pretrained = (root / results_root(section) for section in ("experiments", "pretrained"))
        inside = published_inside(compare(project, published, own, pretrained, with_distances=False))
        return cls(root, project, published, inside, cards, replication, state.outputs, others, build_seconds(files))


def published_inside(compared: pd.DataFrame) -> frozenset[tuple[str, str]]:
    """The experiments and metrics of an `experiments.compare` whose published value is in our interval."""
    inside = compared[compared.inside.eq(True)]
    return frozenset(zip(inside.experiment, inside.metric, strict=True))


@dataclass(frozen=True)
class ModelCard:
    """The values of a card, as text; rows of tables as sequences of cells."""

    name: str
    purpose: str
    dataset: DatasetCard
    data: list[tuple[str, str]]
    settings: list[tuple[str, str]]
    samples: int
    positive_class: str
    results: list[tuple[str, str, str]]
    over_seeds: list[tuple[str, str, str, str, str]]
    folds: str
    threshold: str
    slice_metric: str
    calibration: list[tuple[str, str]]
    calibration_text: str
    slices: list[tuple[str, str, str, str]]
    class_header: list[str]
    classes: list[list[str]]
    limits: list[str]
    takes: str
    columns: list[tuple[str, str, str, str]]
    more_columns: int
    answers: str
    model_md5: str
    metrics_md5: str


def read_cards(sources: CardSources, names: Iterable[str]) -> dict[str, ModelCard | None]:
    """The card of each of these experiments; None of one that was not evaluated, or whose result files are wrong."""
    return {name: _card_if_evaluated(sources, name) for name in names}


def write_cards(root: Path, project: Project, cards: Mapping[str, ModelCard | None]) -> list[Path]:
    """Write card.md into the results folder of each experiment that has a card, and remove it from the others.

    Returns:
        The files that were written.
    """
    files = {results_of(project, name, root).card: card for name, card in cards.items()}
    for file, card in files.items():
        if card:
            write_text(file, _markdown(card))
        else:
            file.unlink(missing_ok=True)
    return [file for file, card in files.items() if card]


def model_card(sources: CardSources, name: str, rows: int | None = None) -> str:
    """The card of an experiment in Markdown.

    Args:
        sources: what it is made from.
        name: the experiment.
        rows: how many columns, slices and classes it lists; all by default.

    Raises:
        ModelyardError: a result file is wrong, or there is no such experiment.
    """
    return _markdown(_card(sources, name), rows)


def _card_if_evaluated(sources: CardSources, name: str) -> ModelCard | None:
    with suppress(ModelyardError):  # the report lists what is wrong with a file
        if results_of(sources.project, name, sources.root).is_evaluated:
            return _card(sources, name)
    return None


def _markdown(card: ModelCard, rows: int | None = None) -> str:
    return f"{_template().render(card=card, rows=rows).strip()}\n"


@cache
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)  # noqa: S701 (Markdown)
    environment.globals["table"] = _table
    environment.filters["plain"] = without_markup
    return environment.from_string(package_files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8"))


def _card(sources: CardSources, name: str) -> ModelCard:
    project, root = sources.project, sources.root
    experiment, results = project.all_experiments[name], results_of(project, name, root)
    dataset = next(card for card in sources.data_cards if card.name == project.dataset_of(name))
    data = next((card for card in dataset.inputs if card.name == experiment.input), None)
    of_model = (row for row in sources.replication if row.experiment == name and not row.has_other_settings)
    over_seeds = [row for row in of_model if row.seeds > 1]
    is_evaluated = results.is_evaluated
    measured = read_measurements(results) if is_evaluated else NOT_MEASURED
    slices, classes = measured.slices, measured.classes
    columns = data.files.columns if data else ()
    note = sources.published[name].note if name in sources.published else ""
    task, unit = project.task_of(name), project.unit_of(name)
    calibration = read_calibration(results, measured.positive_class) if is_evaluated else None
    return ModelCard(
        name=name,
        purpose=f"A model of the family `{experiment.model.family}` for {task}.{f' It shows: {note}.' if note else ''}",
        dataset=dataset,
        data=list(_data(dataset, experiment.input, data, unit)),
        settings=list(_training(sources, name)),
        samples=results.rows if is_evaluated else 0,
        positive_class=measured.positive_class,
        results=list(_results(sources, name, measured.metrics)),
        over_seeds=[
            (row.metric, "drawn by each seed" if row.splits else "the same", str(row.seeds), row.mean, row.min_to_max)
            for row in over_seeds
        ],
        folds=_folds(results.folds) if is_evaluated else "",
        threshold=measured.threshold,
        calibration=list(_calibration(calibration, measured.metrics)),
        calibration_text=calibration.text if calibration else "",
        slice_metric=slices[0].metric if slices else "",
        slices=[(row.column, row.name or "all test samples", str(row.rows), row.text) for row in slices],
        class_header=["class", *("samples" if key == "rows" else key for key in next(iter(classes.values()), {}))],
        classes=[[label, *map(_number, values.values())] for label, values in classes.items()],
        limits=[
            *[OTHER_SETTINGS] * (name in sources.with_other_settings),
            *_limits(data, classes, [f"{row.column} = {row.name}" for row in slices if row.is_small], bool(over_seeds)),
        ],
        takes=_takes(data),
        columns=[(each.name, each.kind, each.values, each.gaps) for each in columns[:SHOWN_COLUMNS]],
        more_columns=max(len(columns) - SHOWN_COLUMNS, 0),
        answers=ANSWERS[task] + (f" in {unit}" if unit else ""),
        model_md5=sources.outputs.get(results.model.relative_to(root).as_posix(), ""),
        metrics_md5=sources.outputs.get((results.folder / "metrics.json").relative_to(root).as_posix(), ""),
    )


def _data(dataset: DatasetCard, input_name: str, data: InputCard | None, unit: str) -> Iterator[tuple[str, str]]:
    yield "data set", f"`{dataset.name}`"
    yield "license", dataset.license or "params.yaml states none"
    yield "input", f"`{input_name}`"
    if data:
        yield "samples", ", ".join(f"{part.values.get('samples', '')} {part.name}" for part in data.parts)
        yield "shape of a sample", data.shape
        yield "scaling", data.scaling
    if unit:
        yield "unit of the target", unit


def _training(sources: CardSources, name: str) -> Iterator[tuple[str, str]]:
    """The settings that params.yaml states, the defaults of the training, and what it took."""
    experiment, section = sources.project.all_experiments[name], sources.project.section_of(name)
    defaults = default_settings(experiment).items()
    used = stated_settings(experiment) | {key: value for key, value in defaults if key.startswith("training.")}
    yield from ((f"`{key}`", setting_text(value)) for key, value in used.items())
    with suppress(FileNotFoundError, IndexError, KeyError):  # a clone has no history
        history = results_of(sources.project, name, sources.root).history()
        if len(history) > 1:
            best = trained_epoch(experiment.training, history) + 1
            yield "trained epochs", f"{len(history)}{f'; the model is of epoch {best}' if best < len(history) else ''}"
    if seconds := sources.seconds.get(train_stage(section, name)):
        yield "duration", duration_text(seconds)


def _results(sources: CardSources, name: str, metrics: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    published = sources.published[name].metrics if name in sources.published else {}
    for metric, text in metrics.items():
        side = "inside" if (name, metric) in sources.published_inside else "outside"
        yield metric, text, f"{published[metric]:.4g} {side}" if metric in published else ""


def _folds(folds: FoldResults | None) -> str:
    return "; ".join(map(folds.text, folds.metrics)) + "." if folds else ""


def _limits(
    data: InputCard | None, classes: dict[str, dict[str, float | None]], few: Sequence[str], is_replicated: bool
) -> Iterator[str]:
    yield ANY_KIND
    if not is_replicated:
        yield ONE_TRAINING
    yield from (f"{warning}." for warning in (data.warnings if data else ()))
    scores = {label: values.get("f1") or 0.0 for label, values in classes.items() if values.get("rows")}
    mean = sum(scores.values()) / len(scores) if scores else 0.0
    weak = [f"{label} (F1 {score:.2f})" for label, score in scores.items() if score < mean - WEAK_CLASS]
    if weak:
        yield f"Worse than on average at: {', '.join(weak)}."
    if few:
        yield f"Slices with few samples, of which little is known: {', '.join(few)}."


def _calibration(calibration: Calibration | None, metrics: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if calibration:
        yield "expected calibration error", _number(calibration.error)
    if "brier_score" in metrics:
        yield "Brier score (95 % interval)", metrics["brier_score"]


def _takes(data: InputCard | None) -> str:
    kind = data.files.kind if data else None
    files = f"FILES are {FILES[kind]}. " if kind else ""
    samples = f"It takes raw samples{f' of shape {data.shape}' if data else ''}. "
    if data and data.files.columns:
        samples = "It takes the raw values of its columns, in any order. "
    elif data and kind == "image":
        samples = f"Each is resized to {data.shape}. "
    elif data and kind == "text":
        samples = (
            f"Of each, the first {int(data.shape) - 1} words are read. "  # the sample begins with a sign of its own
        )
    return f"{files}{samples}Scaling, and whatever else was learnt from the training samples, is part of the model."


def _number(value: Any) -> str:
    return "" if value is None else f"{value:.4g}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], shown: int | None = None, more: int = 0) -> str:
    """A table with some of its rows, and how many more there are; `more`: of which there are no rows."""
    table = markdown_table(header, [list(map(without_markup, row)) for row in rows[:shown]])
    more += len(rows[shown:]) if shown is not None else 0
    return f"{table}\n\nAnd {more} more." if more else table
