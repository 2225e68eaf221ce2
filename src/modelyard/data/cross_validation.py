"""Training and validation samples of one fit: the split of the input, or one of k folds."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from modelyard.core.errors import ModelyardError
from modelyard.data.inputs import TrainingInput, refit
from modelyard.data.samples import TARGET_KINDS, Samples
from modelyard.data.splits import Divider, Split, divide_validation

Division = tuple[np.ndarray, np.ndarray]
"""The indices of the training and of the validation samples of a fold."""


def split_folds(data: TrainingInput, folds: int | None, seed: int) -> Iterator[TrainingInput]:
    """Yield the input as it is, or k inputs whose validation samples are one fold each (see `divide_folds`).

    The scalings are fitted on each fold's training samples.

    Raises:
        ModelyardError: the samples do not suffice for so many folds.
    """
    if folds is None:
        yield data
        return
    for training, validation in divide_folds(data, folds, seed):
        yield _fold(data, training, validation)


def divide_folds(data: TrainingInput, folds: int, seed: int) -> list[Division]:
    """Divide the training and validation samples of an input into folds, by the same rule as its split.

    By class or group with scikit-learn's StratifiedKFold or GroupKFold, shuffled: each sample is a validation sample
    once. In time with TimeSeriesSplit: each fold is validated on samples that follow those that it is trained on. Else
    shuffled by NumPy, not by KFold, which returns the samples of a fold in another order and would change the scores
    of existing studies.

    Raises:
        ModelyardError: the samples, groups or samples of a class do not suffice for so many folds.
    """
    _refuse_too_many(data, folds)
    divided = list(_divide(data, folds, seed))
    _refuse_unknown_classes(data, divided)
    return divided


def evaluation_folds(
    data: TrainingInput, folds: int, seed: int, validation: float
) -> Iterator[tuple[TrainingInput, Samples]]:
    """Yield k inputs without the samples of one fold (see `divide_folds`), and these samples, to measure a model on.

    Args:
        data: the input to divide; its test samples are no part of it.
        folds: how many.
        seed: of the folds, and of the validation samples.
        validation: the fraction of each yielded input that is for validation, by the rule of the input's split.

    Raises:
        ModelyardError: the samples do not suffice for so many folds, or for such a fraction.
    """
    for kept, held_out in divide_folds(data, folds, seed):
        yield _with_validation(data, kept, validation, seed), data.samples.take(held_out)


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
    kept = data.take(np.concatenate([np.arange(training_samples), np.arange(count, len(data.samples))]))
    return replace(kept, description=data.description.model_copy(update={"training_samples": training_samples}))


def _with_validation(data: TrainingInput, kept: np.ndarray, fraction: float, seed: int) -> TrainingInput:
    """The input with these samples only, a fraction of them for validation."""
    by, classes = data.description.split_by, data.description.classes
    if by == "time":
        split = Split(test="predefined", validation=fraction)
    else:
        split = Split(test="predefined", validation=fraction, validation_samples="shuffled", validation_seed=seed)
    labels = data.samples.y if by == "class" else data.groups
    divider = None if by in (None, "time") or labels is None else Divider(by, labels[kept], classes)
    order, held_out = divide_validation(len(kept), split, divider)
    cut = len(order) - held_out
    return _fold(data, kept[order[:cut]], kept[order[cut:]])


def _divide(data: TrainingInput, folds: int, seed: int) -> Iterator[Division]:
    by, samples = data.description.split_by, data.samples
    if by is None:
        held_out = np.array_split(np.random.RandomState(seed).permutation(len(samples)), folds)
        for number, validation in enumerate(held_out):
            yield np.concatenate(held_out[:number] + held_out[number + 1 :]), validation
        return
    from sklearn.model_selection import GroupKFold, StratifiedKFold, TimeSeriesSplit

    if by == "class":
        yield from StratifiedKFold(folds, shuffle=True, random_state=seed).split(samples.y, samples.y)
    elif by == "group":
        yield from GroupKFold(folds, shuffle=True, random_state=seed).split(samples.y, groups=data.groups)
    else:
        yield from TimeSeriesSplit(folds).split(samples.y)


def _refuse_too_many(data: TrainingInput, folds: int) -> None:
    count, of = len(data.samples), "samples"
    if data.groups is not None:
        count, of = len(np.unique(data.groups)), "groups"
    most = count - (data.description.split_by == "time")  # the first part is for training in every fold
    if folds > most:
        raise ModelyardError(f"{folds} folds of {count} {of}: set `folds` to {most} at most.")
    if TARGET_KINDS[data.description.task] == "class":
        classes, counts = np.unique(data.samples.y, return_counts=True)
        if counts.min() < folds:
            name = data.description.classes[classes[counts.argmin()]]
            raise ModelyardError(
                f"{folds} folds, and class {name!r} has {counts.min()} training and validation sample(s): set `folds` "
                f"to {counts.min()} at most, add samples of this class, or drop or merge it."
            )


def _refuse_unknown_classes(data: TrainingInput, divided: list[Division]) -> None:
    if TARGET_KINDS[data.description.task] != "class":
        return
    y = data.samples.y
    for number, (training, validation) in enumerate(divided, start=1):
        unknown = np.setdiff1d(y[validation], y[training])
        if len(unknown):
            raise ModelyardError(
                f"class {data.description.classes[unknown[0]]!r} is in none of the training samples of fold {number} "
                f"of {len(divided)}, so it cannot be learned there: use fewer folds or none, add samples of this "
                "class, or drop or merge it."
            )


def _fold(data: TrainingInput, training: np.ndarray, validation: np.ndarray) -> TrainingInput:
    fold = data.take(np.concatenate([training, validation]))
    counts = {"training_samples": len(training), "validation_samples": len(validation)}
    return replace(fold, description=refit(data.description.model_copy(update=counts), fold.samples))
