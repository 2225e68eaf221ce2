"""Training and validation samples of one fit: the split of the input, or one of k folds."""

from collections.abc import Iterator

import numpy as np

from modelyard.core.errors import ModelyardError
from modelyard.data import scaling
from modelyard.data.inputs import TrainingInput


def split_folds(data: TrainingInput, folds: int | None, seed: int) -> Iterator[TrainingInput]:
    """Yield the input as it is, or k inputs in which each sample is a validation sample once.

    The scaling is fitted on each fold's training samples. Shuffled by NumPy, not by scikit-learn's KFold, which
    returns the samples of a fold in another order and would change the scores of existing studies.

    Raises:
        ModelyardError: there are fewer samples than folds.
    """
    if folds is None:
        yield data
        return
    count = len(data.samples)
    if folds > count:
        raise ModelyardError(f"{folds} folds of {count} samples: set `folds` to {count} at most.")
    held_out = np.array_split(np.random.RandomState(seed).permutation(count), folds)
    for number, validation in enumerate(held_out):
        training = np.concatenate(held_out[:number] + held_out[number + 1 :])
        yield _fold(data, training, validation)


def first_training_samples(data: TrainingInput, training_samples: int | None) -> TrainingInput:
    """Return the input with its first `training_samples` training samples only, and with all validation samples.

    Raises:
        ModelyardError: there are fewer.
    """
    count = data.description.training_samples
    if training_samples is None:
        return data
    if training_samples > count:
        raise ModelyardError(
            f"`training_samples: {training_samples}` of {count}: set the study's `training_samples` to {count} at "
            "most, or leave it out."
        )
    samples = data.samples.take(np.concatenate([np.arange(training_samples), np.arange(count, len(data.samples))]))
    return TrainingInput(data.description.model_copy(update={"training_samples": training_samples}), samples)


def _fold(data: TrainingInput, training: np.ndarray, validation: np.ndarray) -> TrainingInput:
    samples, description = data.samples.take(np.concatenate([training, validation])), data.description
    scaler = scaling.fit(description.scaling, samples.x[: len(training)])
    counts = {"training_samples": len(training), "validation_samples": len(validation)}
    return TrainingInput(description.model_copy(update={"scaler": scaler} | counts), samples)
