"""The rows that a trial learns from and is judged by: as the input divides them, or k-fold."""

from collections.abc import Iterator

import numpy as np

from modelyard.core.errors import ModelyardError
from modelyard.data import scaling
from modelyard.data.inputs import TrainingInput


def parts(data: TrainingInput, folds: int | None, seed: int) -> Iterator[TrainingInput]:
    """The input as it is, or divided `folds` times so that each row is a validation row once.

    The scaling is fitted anew on the training rows of each fold.

    Raises:
        ModelyardError: there are fewer rows than folds.
    """
    if folds is None:
        yield data
        return
    count = len(data.samples)
    if folds > count:
        raise ModelyardError(f"{folds} folds of {count} rows: give the study at most {count} `folds`.")
    held_back = np.array_split(np.random.RandomState(seed).permutation(count), folds)
    for number, held in enumerate(held_back):
        rest = np.concatenate(held_back[:number] + held_back[number + 1 :])
        yield _divided(data, rest, held)


def shortened(data: TrainingInput, training_rows: int | None) -> TrainingInput:
    """The input with its first training rows only, and all of its validation rows.

    Raises:
        ModelyardError: there are fewer.
    """
    count = data.description.training_rows
    if training_rows is None:
        return data
    if training_rows > count:
        raise ModelyardError(f"{count} training rows: give the study at most so many `training_rows`, or leave it out.")
    rows = data.samples.take(np.concatenate([np.arange(training_rows), np.arange(count, len(data.samples))]))
    return TrainingInput(data.description.model_copy(update={"training_rows": training_rows}), rows)


def _divided(data: TrainingInput, rest: np.ndarray, held: np.ndarray) -> TrainingInput:
    rows, description = data.samples.take(np.concatenate([rest, held])), data.description
    scaler = scaling.fit(description.scaling, rows.x[: len(rest)])
    counts = {"training_rows": len(rest), "validation_rows": len(held)}
    return TrainingInput(description.model_copy(update={"scaler": scaler} | counts), rows)
