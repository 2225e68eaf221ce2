"""The rows that a trial learns from and is judged by: as the input divides them, or k-fold."""

from collections.abc import Iterator

import numpy as np

from modelyard import scaling
from modelyard.errors import ModelyardError
from modelyard.inputs import TrainingInput


def parts(data: TrainingInput, folds: int | None, seed: int) -> Iterator[TrainingInput]:
    """The input as it is, or divided `folds` times so that each row is a validation row once.

    The scaling is fitted anew on the training rows of each fold.

    Raises:
        ModelyardError: there are fewer rows than folds.
    """
    if folds is None:
        yield data
        return
    count = len(data.rows)
    if folds > count:
        raise ModelyardError(f"{folds} folds of {count} rows: give the study at most {count} `folds`.")
    held_back = np.array_split(np.random.RandomState(seed).permutation(count), folds)
    for number, held in enumerate(held_back):
        rest = np.concatenate(held_back[:number] + held_back[number + 1 :])
        yield _divided(data, rest, held)


def _divided(data: TrainingInput, rest: np.ndarray, held: np.ndarray) -> TrainingInput:
    rows, description = data.rows.take(np.concatenate([rest, held])), data.description
    scaler = scaling.fit(description.scaling, rows.x[: len(rest)])
    counts = {"training_rows": len(rest), "validation_rows": len(held)}
    return TrainingInput(description.model_copy(update={"scaler": scaler} | counts), rows)
