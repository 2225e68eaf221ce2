"""`modelyard predict`: predictions for files or test samples, as a table, a CSV file or a plot."""

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from modelyard import models, params
from modelyard.core.errors import ModelyardError
from modelyard.core.files import write_tables
from modelyard.data.decision_threshold import goal_name
from modelyard.data.inputs import InputDescription
from modelyard.experiments import plots
from modelyard.orchestration import dvc_lock
from modelyard.params.results import evaluate_stage, train_stage
from modelyard.serving import predict as serving
from modelyard.serving.batch import PredictionBatch

if TYPE_CHECKING:
    import pandas as pd

UNLIMITED = 10_000  # columns
MOST_ERRORS = 100  # that are printed
PROGRESS_COLUMNS = (SpinnerColumn(), TextColumn("{task.completed:,} rows predicted"), TimeElapsedColumn())
NOT_INVERTED = (
    "warning: no image is inverted: dark stays dark, light stays light. A model trained on light strokes on a dark "
    "background needs images like that."
)


def predict(
    name: str, files: Sequence[Path], test_samples: Sequence[int], output: Path | None, show: Path | None
) -> int:
    """Print, write or plot predictions for files or for test samples, counted from 0.

    Returns the exit code: 1 if something could not be read.

    Raises:
        ModelyardError: there is no such model, or the arguments do not fit together; nothing was predicted.
    """
    _check_arguments(files, test_samples, output, show)
    test = _test_folder(name) if test_samples else None
    model = models.load(_model_folder(name))
    if show:
        serving.check_can_plot(model.description)
    _print_threshold(model.description)
    batches = [serving.take_test_samples(test_samples, test)] if test else serving.read(files, model.description)
    counts: Counter[str] = Counter()
    predicted = _predict(model, batches, show, counts)
    if output:
        write_tables(output, _with_progress(predicted))
    elif tables := list(predicted):
        _print(tables, Console(markup=False))  # names may hold [brackets]
    if counts["errors"] and not counts["samples"]:
        _print_problem("Nothing is left to predict.")
    return int(counts["errors"] > 0)


def _predict(
    model: models.Model, batches: Iterable[PredictionBatch], show: Path | None, counts: Counter[str]
) -> Iterator["pd.DataFrame"]:
    """Yield the predictions for each batch, and print its problems; of images and texts, one batch, also plot it."""
    for batch in batches:
        _print_problems(batch, counts)
        counts["samples"] += len(batch)
        if not len(batch):
            continue
        outputs = model.predict(batch.x)
        if show:
            show.parent.mkdir(parents=True, exist_ok=True)
            plots.save(serving.plot_predictions(batch, outputs, model.description), show)
        yield serving.prediction_table(batch, outputs, model.description)


def _with_progress(tables: Iterable["pd.DataFrame"]) -> Iterator["pd.DataFrame"]:
    """Yield tables while a terminal shows how many rows there were."""
    console = Console(stderr=True)
    with Progress(*PROGRESS_COLUMNS, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)
        for table in tables:
            yield table
            progress.advance(task, len(table))


def _check_arguments(
    files: Sequence[Path], test_samples: Sequence[int], output: Path | None, show: Path | None
) -> None:
    if bool(files) == bool(test_samples):
        raise ModelyardError("give either files or --test-row, such as: modelyard predict mnist_cnn 7.png")
    if show and show.suffix.lower() != ".png":
        raise ModelyardError(f"--show {show}: the plot is written as PNG; give a name such as {show.stem}.png")
    inputs = set(map(os.path.realpath, files))  # unlike Path.resolve, no error for a link to itself
    for target in (output, show):
        if target and os.path.realpath(target) in inputs:
            raise ModelyardError(f"{target} is an input file and would be overwritten: give the output another name")


def _model_folder(name: str) -> Path:
    """The model folder of an experiment, or of a registered model such as `mnist@champion`."""
    if "@" in name:
        from modelyard.serving import registry

        return registry.model_folder(name)
    return dvc_lock.verified_output(train_stage(params.load().section_of(name), name), "model", Path.cwd())


def _test_folder(name: str) -> Path:
    if "@" in name:
        raise ModelyardError(f"--test-row needs an experiment, and {name} is a registered model: name the experiment")
    return dvc_lock.verified_dependency(evaluate_stage(params.load().section_of(name), name), "test", Path.cwd())


def _print_problems(batch: PredictionBatch, counts: Counter[str]) -> None:
    """Print warnings, and errors up to MOST_ERRORS; count the errors."""
    for warning in batch.warnings:
        _print_problem(f"warning: {warning}")
    if batch.image_sizes is not None and batch.warnings:
        _print_problem(NOT_INVERTED)
    for error in batch.errors:
        counts["errors"] += 1
        if counts["errors"] <= MOST_ERRORS:
            _print_problem(f"error: {error}")
        elif counts["errors"] == MOST_ERRORS + 1:
            _print_problem(f"error: more than {MOST_ERRORS}; further ones are not printed")


def _print_problem(line: str) -> None:
    """Print to standard error; standard output has the predictions only."""
    print(line, file=sys.stderr)  # noqa: T201


def _print_threshold(description: InputDescription) -> None:
    """Print to standard error by which threshold classes are decided, unless the likelier one is taken."""
    if threshold := description.threshold:
        text = (
            f"class {description.classes[1]} from a probability of {threshold.value:.4g} on: the threshold was chosen "
            f"on validation samples for the best {goal_name(threshold.goal)}"
        )
        _print_problem(text)


def _print(tables: Sequence["pd.DataFrame"], console: Console) -> None:
    """Print predictions as a table, or one below the other where the terminal is too narrow for that."""
    names = list(map(str, tables[0].columns))
    rows = [list(map(_text, row)) for table in tables for row in table.itertuples(index=False)]
    shown = Table(*names)
    for row in rows:
        shown.add_row(*row)
    if console.measure(shown, options=console.options.update(width=UNLIMITED)).maximum <= console.width:
        console.print(shown, highlight=False)
        return
    for name, *values in rows:
        console.print(f"{names[0]} {name}", highlight=False, soft_wrap=True)
        rest = ", ".join(f"{column} {value}" for column, value in zip(names[1:], values, strict=True))
        console.print(f"  {rest}", highlight=False, soft_wrap=True)


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)
