"""`modelyard predict`: a model's answers to files or test rows, in words, in a table, as a picture."""

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

NOT_INVERTED = "Dark stays dark and light stays light; a model that learnt light ink on dark paper wants it so."


def predict(name: str, files: Sequence[Path], rows: Sequence[int], output: Path | None, show: Path | None) -> int:
    """Tell what a model says of files or of test rows; returns 1 where some of it could not be read.

    Raises:
        ModelyardError: no such model, or nothing that it could be asked; then nothing was predicted.
    """
    _refuse_muddle(files, rows, output, show)
    test = _test_rows(name) if rows else None
    model = models.load(_model(name))
    if show:
        serving.check_can_plot(model.description)
    batch = serving.take_test_samples(rows, test) if test else serving.read(files, model.description)
    _print_problems(batch)
    if len(batch):
        outputs = model.predict(batch.x)
        _hand_over(serving.prediction_table(batch, outputs, model.description), output)
        if show:
            show.parent.mkdir(parents=True, exist_ok=True)
            plots.save(serving.plot_predictions(batch, outputs, model.description), show)
    return int(bool(batch.errors))


def _refuse_muddle(files: Sequence[Path], rows: Sequence[int], output: Path | None, show: Path | None) -> None:
    if bool(files) == bool(rows):
        raise ModelyardError("give either files or --test-row, such as: modelyard predict mnist_cnn 7.png")
    if show and show.suffix.lower() != ".png":
        raise ModelyardError(f"--show {show}: a picture is written as PNG; name it so, such as {show.stem}.png")
    inputs = {file.resolve() for file in files}
    for target in (output, show):
        if target and target.resolve() in inputs:
            raise ModelyardError(f"{target} is read and would be written over: give the result another name")


def _model(name: str) -> Path:
    """The folder of an experiment's model, or of one of the registry: `mnist@champion`."""
    if "@" in name:
        from modelyard.serving import registry

        return registry.model_folder(name)
    return dvc_lock.verified_output(train_stage(params.load().section_of(name), name), "model", Path.cwd())


def _test_rows(name: str) -> Path:
    if "@" in name:
        raise ModelyardError(f"test rows are those of an experiment, and {name} is none: name the experiment")
    return dvc_lock.verified_dependency(evaluate_stage(params.load().section_of(name), name), "test", Path.cwd())


def _print_problems(batch: PredictionBatch) -> None:
    """Print warnings and errors to standard error; standard output has the predictions only."""
    lines = [f"warning: {warning}" for warning in batch.warnings]
    if batch.image_sizes is not None and batch.warnings:
        lines.append(f"warning: no image is inverted. {NOT_INVERTED}")
    lines += [f"error: {error}" for error in batch.errors]
    if batch.errors and not len(batch):
        lines.append("Nothing was left to predict.")
    for line in lines:
        print(line, file=sys.stderr)  # noqa: T201


def _hand_over(table: "pd.DataFrame", output: Path | None) -> None:
    if output:
        write_table(output, table)
    else:
        Console().print(_as_shown(table), highlight=False)


def _as_shown(table: "pd.DataFrame") -> Table:
    shown = Table()
    for name in table:
        shown.add_column(name, overflow="fold")
    for row in table.itertuples(index=False):
        shown.add_row(*(f"{value:.4g}" if isinstance(value, float | np.floating) else str(value) for value in row))
    return shown
