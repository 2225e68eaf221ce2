"""Which samples are for testing and which for validation, the order of the rest, and what their targets must allow."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from modelyard.core.config import Settings
from modelyard.core.errors import ModelyardError
from modelyard.data.samples import TARGET_KINDS, Samples, Task

Fraction = Annotated[float, Field(gt=0, lt=1)]
Indices = npt.NDArray[np.integer[Any]]


class Split(Settings):
    """How the samples of an input are divided."""

    test: Literal["predefined", "training_samples"] | Fraction = Field(
        description="predefined: the data set has test samples of its own; training_samples: the training samples "
        "again (the four of XOR cannot be divided); or the fraction of all samples, after a shuffle by `test_seed`"
    )
    test_seed: int | None = Field(
        default=None, ge=0, lt=2**32, description="numpy.random.RandomState(test_seed), as Keras has it"
    )
    first: int | None = Field(
        default=None,
        ge=1,
        description="use only the first so many training samples; the validation samples are taken from these",
    )
    validation: float = Field(default=0.0, ge=0, lt=1, description="fraction of the training samples for validation")
    validation_samples: Literal["last", "shuffled"] = Field(
        default="last", description="last: the last samples, as Keras's validation_split; shuffled: drawn at random"
    )
    validation_seed: int | None = Field(
        default=None, ge=0, lt=2**32, description="seed of the draw, for `validation_samples: shuffled`"
    )

    @model_validator(mode="after")
    def _has_its_seeds(self) -> "Split":
        if isinstance(self.test, float) != (self.test_seed is not None):
            raise ValueError("test_seed goes with a fraction of test samples, and only with it")
        if (self.validation_samples == "shuffled") != (self.validation_seed is not None):
            raise ValueError("validation_seed goes with `validation_samples: shuffled`, and only with it")
        return self


def divide_test(count: int, split: Split) -> tuple[Indices, Indices]:
    """Return the indices of training and test samples, both in the order of use.

    Source: keras.datasets.boston_housing.load_data shuffles by RandomState(seed), cuts at int(n * (1 - fraction)).
    Not sklearn.model_selection.train_test_split, which draws other samples from the same seed.
    """
    if split.test == "training_samples":
        return np.arange(count), np.arange(count)
    if split.test == "predefined":
        raise ValueError("`test: predefined`: the test samples are those of the data set, and nothing is divided")
    order = np.arange(count)
    np.random.RandomState(split.test_seed).shuffle(order)
    cut = int(count * (1 - split.test))
    _refuse_empty(cut, count - cut, f"test: {split.test}", count)
    return order[:cut], order[cut:]


def keep_first(count: int, split: Split) -> int:
    """Return how many training samples are kept.

    Raises:
        ModelyardError: there are fewer samples than `first` asks for.
    """
    if split.first is not None and split.first > count:
        raise ModelyardError(f"`first: {split.first}` of {count} training samples: give at most {count}.")
    return split.first or count


def divide_validation(count: int, split: Split) -> tuple[Indices, int]:
    """Return the order of the training samples, validation samples last, and the number of validation samples.

    Source: keras.utils.split_dataset's and Model.fit's validation_split, which cuts at int(n * (1 - fraction)).
    """
    order = np.arange(count)
    if split.validation_samples == "shuffled":
        order = np.random.RandomState(split.validation_seed).permutation(count)
    cut = int(count * (1 - split.validation))
    if split.validation:
        _refuse_empty(cut, count - cut, f"validation: {split.validation}", count)
    return order, count - cut


def check_targets(training: Samples, test: Samples, task: Task, classes: Sequence[str]) -> None:
    """Refuse a split whose targets leave nothing to learn or to measure.

    Args:
        training: the training samples, without those for validation.
        test: the test samples.
        task: what is predicted.
        classes: the names of the classes, for a classification.

    Raises:
        ModelyardError: a part with equal numbers for targets, or a class that occurs in the test samples only.
    """
    advice = "change `split.test` or `split.test_seed`"
    if TARGET_KINDS[task] == "number":
        for name, y in (("training", training.y), ("test", test.y)):
            if np.ptp(y) == 0:
                raise ModelyardError(
                    f"the target of each of the {len(y)} {name} sample(s) is {y[0]:g}, so correlation and r2 have no "
                    f"meaning: {advice}, or add samples"
                )
    if TARGET_KINDS[task] == "class":
        unknown = np.setdiff1d(test.y, training.y)
        if len(unknown):
            raise ModelyardError(
                f"class {classes[unknown[0]]!r} is in the test samples only, so no model can learn it: {advice}, add "
                "samples of this class, or drop or merge it"
            )


def _refuse_empty(kept: int, held_out: int, setting: str, count: int) -> None:
    if not kept or not held_out:
        raise ModelyardError(
            f"`{setting}` of {count} samples leaves {kept} to train on and holds out {held_out}: "
            "give a fraction that leaves at least one sample on each side, or more samples."
        )
