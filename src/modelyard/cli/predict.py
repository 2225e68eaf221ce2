"""`modelyard predict`: predictions for files or test samples, as a table, a CSV file or a plot."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console

from modelyard.cli.interrupts import handle_termination_as_ctrl_c
from modelyard.core.errors import ModelyardError
from modelyard.core.files import write_tables
from modelyard.data.contract import INPUTS, Reference
from modelyard.data.decision_threshold import goal_name
from modelyard.data.inputs import InputDescription
from modelyard.serving import engines
from modelyard.serving import predict as serving
from modelyard.serving.batch import PredictionBatch, check_outputs
from modelyard.serving.engines import Engine, ExperimentFiles, Predictor
from modelyard.serving.outside import COLUMN
from modelyard.serving.predictions import prediction_columns

if TYPE_CHECKING:
    import pandas as pd

UNLIMITED = 10_000  # columns
MOST_ERRORS = 100  # that are printed
NOT_INVERTED = (
    "warning: no image is inverted: dark stays dark, light stays light. A model trained on light strokes on a dark "
    "background needs images like that."
)


def predict(
    name: str,
    files: Sequence[Path],
    test_samples: Sequence[int],
    output: Path | None,
    show: Path | None,
    engine: Engine = "auto",
) -> int:
    """Print, write or plot predictions for files or for test samples, counted from 0.

    Returns the exit code: 1 if something could not be read.

    Raises:
        ModelyardError: there is no such model, or the arguments do not fit together; nothing was predicted.
    """
    handle_termination_as_ctrl_c()  # else half a file would stay beside the output
    _check_arguments(name, files, test_samples, output, show)
    model, contract, experiment = _load(name, engine)
    if show:
        serving.check_can_plot(model.description)
    _print_threshold(model.description)
    batches: Iterable[PredictionBatch] = serving.read(files, model.description)
    if test_samples and experiment:
        batches = [serving.take_test_samples(test_samples, experiment.test_folder)]
    counts: Counter[str] = Counter()
    predicted = _predict(model, batches, show, counts)
    if output:
        tables = (serving.prediction_table(batch, outputs, model.description, contract) for batch, outputs in predicted)
        write_tables(output, _with_progress(tables), follows_link=True)
    elif columns := [prediction_columns(batch, outputs, model.description, contract) for batch, outputs in predicted]:
        _print(columns, Console(markup=False))  # names may hold [brackets]
    if counts["errors"] and not counts["samples"]:
        _print_problem("Nothing is left to predict.")
    return int(counts["errors"] > 0)


def _load(name: str, engine: Engine) -> tuple[Predictor, Reference | None, ExperimentFiles | None]:
    """The model of an experiment, or a registered one such as `mnist@champion`, which has no experiment.

    Each with its input contract, if there is one.
    """
    if "@" in name:
        from modelyard.serving import registry

        version = registry.resolve(name)
        kept = registry.reference_of(version)
        contract = Reference.load(kept / INPUTS) if kept else None
        return engines.load_registered(version, engine), contract, None
    experiment = engines.find(name, Path.cwd())
    return engines.load(experiment, engine), _load_contract(experiment), experiment


def _load_contract(experiment: ExperimentFiles) -> Reference | None:
    try:
        folder = experiment.contract_folder()
        return Reference.load(folder) if folder else None
    except ModelyardError as error:
        _print_problem(f"warning: values outside the training samples' are not marked: {error}")
        return None


def _predict(
    model: Predictor, batches: Iterable[PredictionBatch], show: Path | None, counts: Counter[str]
) -> Iterator[tuple[PredictionBatch, np.ndarray]]:
    """Yield the outputs for each batch, and print its problems; of images and texts also plot the first."""
    for batch in batches:
        _print_problems(batch, counts)
        counts["samples"] += len(batch)
        if not len(batch):
            continue
        outputs = model.predict(batch.x)
        if show and counts["samples"] == len(batch):
            from modelyard.experiments import plots

            show.parent.mkdir(parents=True, exist_ok=True)
            plots.save(serving.plot_predictions(batch, outputs, model.description), show)
        yield batch, outputs


def _with_progress(tables: Iterable["pd.DataFrame"]) -> Iterator["pd.DataFrame"]:
    """Yield tables while a terminal shows how many rows there were."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    shown = (SpinnerColumn(), TextColumn("{task.completed:,} rows predicted"), TimeElapsedColumn())
    with Progress(*shown, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)
        for table in tables:
            yield table
            progress.advance(task, len(table))


def _check_arguments(
    name: str, files: Sequence[Path], test_samples: Sequence[int], output: Path | None, show: Path | None
) -> None:
    if bool(files) == bool(test_samples):
        raise ModelyardError("give either files or --test-row, such as: modelyard predict mnist_cnn 7.png")
    if test_samples and "@" in name:
        raise ModelyardError(f"--test-row needs an experiment, and {name} is a registered model: name the experiment")
    check_outputs(files, output, show)


def _print_problems(batch: PredictionBatch, counts: Counter[str]) -> None:
    """Print warnings, and errors up to MOST_ERRORS; count the errors, and the changed images."""
    for warning in batch.warnings:
        _print_problem(f"warning: {warning}")
    if batch.image_sizes is not None and batch.warnings and not counts["changed"]:
        _print_problem(NOT_INVERTED)
        counts["changed"] = len(batch.warnings)
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


def _print(parts: Sequence[dict[str, np.ndarray]], console: Console) -> None:
    """Print predictions as a table, or one below the other where the terminal is too narrow for that.

    Values outside the training samples' are printed only where there are any.
    """
    from rich.table import Table

    is_inside = not any(columns[COLUMN].any() for columns in parts if COLUMN in columns)
    names = [name for name in parts[0] if name != COLUMN or not is_inside]
    rows = [list(map(_text, row)) for columns in parts for row in zip(*(columns[name] for name in names), strict=True)]
    shown = Table(*names)
    for row in rows:
        shown.add_row(*row)
    if console.measure(shown, options=console.options.update(width=UNLIMITED)).maximum <= console.width:
        console.print(shown, highlight=False)
        return
    for name, *values in rows:
        console.print(f"{names[0]} {name}", highlight=False, soft_wrap=True)
        cells = zip(names[1:], values, strict=True)
        rest = ", ".join(f"{column} {value}" for column, value in cells if value or column != COLUMN)
        console.print(f"  {rest}", highlight=False, soft_wrap=True)


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)
