"""`modelyard predict`: predictions for files or test samples, as a table, a CSV file or a plot."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.table import Table

from modelyard import models, params
from modelyard.core.errors import ModelyardError
from modelyard.core.files import write_table
from modelyard.experiments import plots
from modelyard.orchestration import dvc_lock
from modelyard.params.results import evaluate_stage, train_stage
from modelyard.serving import predict as serving
from modelyard.serving.batch import PredictionBatch

if TYPE_CHECKING:
    import pandas as pd

UNLIMITED = 10_000  # columns
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
    batch = serving.take_test_samples(test_samples, test) if test else serving.read(files, model.description)
    _print_problems(batch)
    if len(batch):
        outputs = model.predict(batch.x)
        _write(serving.prediction_table(batch, outputs, model.description), output)
        if show:
            show.parent.mkdir(parents=True, exist_ok=True)
            plots.save(serving.plot_predictions(batch, outputs, model.description), show)
    return int(bool(batch.errors))


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


def _print_problems(batch: PredictionBatch) -> None:
    """Print warnings and errors to standard error; standard output has the predictions only."""
    lines = [f"warning: {warning}" for warning in batch.warnings]
    if batch.image_sizes is not None and batch.warnings:
        lines.append(NOT_INVERTED)
    lines += [f"error: {error}" for error in batch.errors]
    if batch.errors and not len(batch):
        lines.append("Nothing is left to predict.")
    for line in lines:
        print(line, file=sys.stderr)  # noqa: T201


def _write(table: "pd.DataFrame", output: Path | None) -> None:
    if output:
        write_table(output, table)
    else:
        _print(table, Console(markup=False))  # names may hold [brackets]


def _print(table: "pd.DataFrame", console: Console) -> None:
    """Print predictions as a table, or one below the other where the terminal is too narrow for that."""
    names = list(map(str, table.columns))
    rows = [list(map(_text, row)) for row in table.itertuples(index=False)]
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
