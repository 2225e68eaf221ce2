"""Which rows are test rows, which are validation rows, and in what order the rest is trained on."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from modelyard.core.config import Settings
from modelyard.core.errors import ModelyardError

Fraction = Annotated[float, Field(gt=0, lt=1)]


class Split(Settings):
    """How an input's rows are divided."""

    test: Literal["given", "training_rows"] | Fraction = Field(
        description="given: the data set brings its own test rows; training_rows: the same rows again (four rows of "
        "XOR cannot be divided); or the fraction of all rows, after a shuffle by `test_seed`"
    )
    test_seed: int | None = Field(
        default=None, ge=0, lt=2**32, description="numpy.random.RandomState(test_seed), as Keras has it"
    )
    first: int | None = Field(
        default=None,
        ge=1,
        description="only so many of the training rows, the first ones; validation is cut from these",
    )
    validation: float = Field(default=0.0, ge=0, lt=1, description="fraction of the training rows that is held back")
    validation_rows: Literal["last", "shuffled"] = Field(
        default="last", description="last: the last rows, as Keras's validation_split; shuffled: drawn by chance"
    )
    validation_seed: int | None = Field(
        default=None, ge=0, lt=2**32, description="which rows are drawn, where they are"
    )

    @model_validator(mode="after")
    def _has_its_seeds(self) -> "Split":
        if isinstance(self.test, float) != (self.test_seed is not None):
            raise ValueError("test_seed goes with a fraction of test rows, and only with it")
        if (self.validation_rows == "shuffled") != (self.validation_seed is not None):
            raise ValueError("validation_seed goes with `validation_rows: shuffled`, and only with it")
        return self


def divide_test(count: int, split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Indices of training and test rows, both in the order of use.

    Source: keras.datasets.boston_housing.load_data shuffles by RandomState(seed), cuts at int(n * (1 - fraction)).
    """
    if split.test == "training_rows":
        return np.arange(count), np.arange(count)
    order = np.arange(count)
    np.random.RandomState(split.test_seed).shuffle(order)
    cut = int(count * (1 - split.test))
    _refuse_empty(cut, count - cut, f"test: {split.test}", count)
    return order[:cut], order[cut:]


def keep_first(count: int, split: Split) -> int:
    """How many training rows are kept.

    Raises:
        ModelyardError: there are fewer rows than `first` asks for.
    """
    if split.first is not None and split.first > count:
        raise ModelyardError(f"`first: {split.first}` of {count} training rows: give at most {count}.")
    return split.first or count


def divide_validation(count: int, split: Split) -> tuple[np.ndarray, int]:
    """The order of the training rows with the validation rows last, and how many of them those are.

    Source: keras.utils.split_dataset's and Model.fit's validation_split, which cuts at int(n * (1 - fraction)).
    """
    order = np.arange(count)
    if split.validation_rows == "shuffled":
        order = np.random.RandomState(split.validation_seed).permutation(count)
    cut = int(count * (1 - split.validation))
    if split.validation:
        _refuse_empty(cut, count - cut, f"validation: {split.validation}", count)
    return order, count - cut


def _refuse_empty(kept: int, held_back: int, given: str, count: int) -> None:
    if not kept or not held_back:
        raise ModelyardError(
            f"`{given}` of {count} rows leaves {kept} to train on and holds back {held_back}: "
            "give a fraction that leaves at least one row on each side, or more rows."
        )
