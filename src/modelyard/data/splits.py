"""Which samples are for testing and which for validation, the order of the rest, and what their targets must allow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import not_
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from modelyard.core.config import Settings, suggest
from modelyard.core.errors import ModelyardError
from modelyard.data.samples import TARGET_KINDS, Samples, Task

Fraction = Annotated[float, Field(gt=0, lt=1)]
Indices = npt.NDArray[np.integer[Any]]
SplitBy = Literal["class", "group", "time"]
Keys = Mapping[str, npt.NDArray[Any]]
"""By the name of each column of a table, its values: see `RawData.keys` and `RawData.texts`."""


class Split(Settings):
    """How the samples of an input are divided."""

    test: Literal["predefined", "training_samples"] | Fraction = Field(
        description="predefined: the data set has test samples of its own; training_samples: the training samples "
        "again (the four of XOR cannot be divided); or the fraction of all samples, after a shuffle by `test_seed` "
        "(with `group`: of all groups; with `time`: the last ones)"
    )
    test_seed: int | None = Field(
        default=None, ge=0, lt=2**32, description="numpy.random.RandomState(test_seed), as Keras has it"
    )
    stratify: bool = Field(
        default=False,
        exclude_if=not_,
        description="for a classification: each part has the same shares of the classes; the test and validation "
        "samples are drawn by scikit-learn's StratifiedShuffleSplit. The default is false, so that earlier entries "
        "keep their samples; `modelyard data show` proposes true for each classification",
    )
    group: str | None = Field(
        default=None,
        exclude_if=not_,
        min_length=1,
        description="a column of the table, such as the patient: samples with the same value stay in the same part. "
        "The groups are drawn by scikit-learn's GroupShuffleSplit, so `test` and `validation` are fractions of the "
        "groups",
    )
    time: str | None = Field(
        default=None,
        exclude_if=not_,
        min_length=1,
        description="a column of the table with dates or numbers: the samples are sorted by it, and the last ones are "
        "for testing, those before them for validation. Nothing is drawn, so there is no `test_seed`",
    )
    first: int | None = Field(
        default=None,
        ge=1,
        description="use only the first so many training samples; the validation samples are taken from these",
    )
    validation: float = Field(default=0.0, ge=0, lt=1, description="fraction of the training samples for validation")
    validation_samples: Literal["last", "shuffled"] = Field(
        default="last",
        description="last: the last samples, as Keras's validation_split; shuffled: drawn at random. "
        "With `stratify` or `group` they are always drawn",
    )
    validation_seed: int | None = Field(
        default=None, ge=0, lt=2**32, description="seed of the draw, for `validation_samples: shuffled`"
    )

    @property
    def by(self) -> SplitBy | None:
        """By what the samples are divided, other than by position or a plain shuffle."""
        return "class" if self.stratify else "group" if self.group else "time" if self.time else None

    @property
    def column(self) -> str | None:
        """The column that `group` or `time` names."""
        return self.group or self.time

    @model_validator(mode="after")
    def _is_by_one_thing(self) -> "Split":
        given = [key for key in ("stratify", "group", "time") if getattr(self, key)]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} exclude each other: keep the one that matters most")
        if given and self.test == "training_samples":
            raise ValueError(f"`test: training_samples` divides nothing: leave out `{given[0]}`, or give a fraction")
        return self

    @model_validator(mode="after")
    def _has_its_seeds(self) -> "Split":
        if self.time and self.test_seed is not None:
            raise ValueError(
                "with `time` the last samples are the test samples, and none is drawn: leave out test_seed"
            )
        if self.time and self.validation_samples == "shuffled":
            raise ValueError(
                "with `time` the validation samples are the last before the test samples, and none is drawn: leave "
                "out `validation_samples` and `validation_seed`"
            )
        if self.by in ("class", "group") and self.validation and self.test_seed is self.validation_seed is None:
            key = "stratify" if self.stratify else "group"
            raise ValueError(
                f"with `{key}` the validation samples are drawn: add `validation_samples: shuffled` and a "
                "`validation_seed`"
            )
        if not self.time and isinstance(self.test, float) != (self.test_seed is not None):
            raise ValueError("test_seed goes with a fraction of test samples, and only with it")
        if (self.validation_samples == "shuffled") != (self.validation_seed is not None):
            raise ValueError("validation_seed goes with `validation_samples: shuffled`, and only with it")
        return self


@dataclass(frozen=True)
class Divider:
    """The class, group or time of each sample, by which samples are divided.

    Attributes:
        by: what `values` are.
        values: class numbers, group numbers or times (n,).
        names: the names of the classes, for errors.
    """

    by: SplitBy
    values: npt.NDArray[Any]
    names: tuple[str, ...] = ()

    def take(self, indices: Indices) -> "Divider":
        """Return the divider of the samples at these indices, in this order."""
        return Divider(self.by, self.values[indices], self.names)

    def hold_out(self, fraction: float, seed: int | None, setting: str) -> tuple[Indices, Indices]:
        """Return the indices of the samples that are kept, and of those that are held out.

        The last samples in time, where none of one time are divided, or those that scikit-learn's
        StratifiedShuffleSplit or GroupShuffleSplit draws.

        Args:
            fraction: of the samples, or of the groups.
            seed: of the draw.
            setting: the setting that asks for it, for errors.

        Raises:
            ModelyardError: there are too few samples, groups or samples of a class.
        """
        count = len(np.unique(self.values)) if self.by == "group" else len(self.values)
        cut = int(count * (1 - fraction))
        _refuse_empty(cut, count - cut, setting, count, "groups" if self.by == "group" else "samples")
        if self.by == "time":
            order = np.argsort(self.values, kind="stable")
            cut = _between_times(self.values[order], cut)
            return order[:cut], order[cut:]
        from sklearn.model_selection import GroupShuffleSplit, StratifiedShuffleSplit

        kind = GroupShuffleSplit if self.by == "group" else StratifiedShuffleSplit
        draw = kind(n_splits=1, train_size=cut, test_size=count - cut, random_state=seed)
        if self.by == "group":
            kept, held_out = next(draw.split(self.values, groups=self.values))
        else:
            self._refuse_small_classes(cut, count - cut, setting)
            kept, held_out = next(draw.split(self.values, self.values))
        return kept, held_out

    def _refuse_small_classes(self, kept: int, held_out: int, setting: str) -> None:
        classes, counts = np.unique(self.values, return_counts=True)
        if counts.min() < 2:
            raise ModelyardError(
                "`stratify` needs two samples of each class at least, and class "
                f"{self.names[classes[counts.argmin()]]!r} has one of the {kept + held_out} that `{setting}` divides: "
                "add samples of this class, drop or merge it, or leave out `stratify`."
            )
        if min(kept, held_out) < len(classes):
            raise ModelyardError(
                f"`stratify` needs one sample of each of the {len(classes)} classes on both sides, and `{setting}` of "
                f"{kept + held_out} samples keeps {kept} and holds out {held_out}: change the fraction, or leave out "
                "`stratify`."
            )


def check_task(split: Split, task: Task) -> None:
    """Refuse `stratify` where samples have no classes.

    Raises:
        ModelyardError: it is not a classification.
    """
    if split.stratify and TARGET_KINDS[task] != "class":
        raise ModelyardError(f"`stratify` is for classifications, and this data set is for {task}: leave it out")


def find_divider(
    split: Split, samples: Samples, keys: Keys, texts: Keys, classes: tuple[str, ...] = ()
) -> Divider | None:
    """Return by what samples are divided; None for a division by position or a plain shuffle.

    Args:
        split: how to divide.
        samples: all samples.
        keys: the columns of a table as numbers, where a time is found.
        texts: its columns as text, where a group is found: as numbers, long ids would be equal.
        classes: the names of the classes.

    Raises:
        ModelyardError: there is no such column, it has gaps, or it should be a time and is text.
    """
    if split.stratify:
        return Divider("class", samples.y, classes)
    if split.by is None or split.column is None:
        return None
    values = _column(split.column, split.by, texts if split.group else keys)
    return Divider(split.by, np.unique(values, return_inverse=True)[1] if split.group else values)


def _between_times(times: npt.NDArray[Any], cut: int) -> int:
    """The cut of sorted times (n,) nearest to another that divides no samples of one time; if none can, that itself."""
    allowed = [int(np.searchsorted(times, times[cut], side)) for side in ("left", "right")]
    return min((each for each in allowed if 0 < each < len(times)), key=lambda each: abs(each - cut), default=cut)


def count_leaks(split: Split, keys: Keys, test_keys: Keys) -> int:
    """Return what a data set's own test samples share with its training samples that a split by group or time forbids.

    Args:
        split: by group: the number of groups on both sides; in time: that of test samples earlier than a training
            sample.
        keys: the columns of the training samples.
        test_keys: those of the test samples; without the column nothing is counted.
    """
    if split.column is None or split.column not in test_keys:
        return 0
    training, test = keys[split.column], test_keys[split.column]
    if split.group:
        return len(np.intersect1d(training[: split.first], test))
    return int(np.sum(test < np.sort(training)[: split.first].max()))


def divide_test(count: int, split: Split, divider: Divider | None = None) -> tuple[Indices, Indices]:
    """Return the indices of training and test samples, both in the order of use.

    Source without a divider: keras.datasets.boston_housing.load_data shuffles by RandomState(seed), cuts at
    int(n * (1 - fraction)). Not sklearn.model_selection.train_test_split, which draws other samples from the same seed.
    """
    if split.test == "training_samples":
        return np.arange(count), np.arange(count)
    if split.test == "predefined":
        raise ValueError("`test: predefined`: the test samples are those of the data set, and nothing is divided")
    setting = f"test: {split.test}"
    if divider:
        return divider.hold_out(split.test, split.test_seed, setting)
    order = np.arange(count)
    np.random.RandomState(split.test_seed).shuffle(order)
    cut = int(count * (1 - split.test))
    _refuse_empty(cut, count - cut, setting, count)
    return order[:cut], order[cut:]


def keep_first(count: int, split: Split) -> int:
    """Return how many training samples are kept.

    Raises:
        ModelyardError: there are fewer samples than `first` asks for.
    """
    if split.first is not None and split.first > count:
        raise ModelyardError(f"`first: {split.first}` of {count} training samples: give at most {count}.")
    return split.first or count


def divide_validation(count: int, split: Split, divider: Divider | None = None) -> tuple[Indices, int]:
    """Return the order of the training samples, validation samples last, and the number of validation samples.

    Source without a divider: keras.utils.split_dataset's and Model.fit's validation_split, which cuts at
    int(n * (1 - fraction)).
    """
    setting = f"validation: {split.validation}"
    if divider and split.validation:
        seed = split.test_seed if split.validation_seed is None else split.validation_seed
        kept, held_out = divider.hold_out(split.validation, seed, setting)
        return np.concatenate([kept, held_out]), len(held_out)
    order = np.arange(count)
    if split.validation_samples == "shuffled":
        order = np.random.RandomState(split.validation_seed).permutation(count)
    cut = int(count * (1 - split.validation))
    if split.validation:
        _refuse_empty(cut, count - cut, setting, count)
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


def _column(name: str, by: SplitBy, columns: Keys) -> npt.NDArray[Any]:
    """The groups, as text, or the times that a column of a table has."""
    setting = f"`split.{by}: {name}`"
    if not columns:
        raise ModelyardError(f"{setting}: this data set is no table, so it has no columns: leave it out.")
    if name not in columns:
        raise ModelyardError(f"{setting}: the table has no such column; {suggest(name, columns)}.")
    values = columns[name]
    if by == "time" and values.dtype.kind != "f":
        raise ModelyardError(
            f"{setting}: this column has text, which has no order in time: name a column of dates or numbers, or write "
            "all its dates as 2024-12-31."
        )
    gaps = np.flatnonzero(~np.isfinite(values) if by == "time" else values == "")
    if len(gaps):
        raise ModelyardError(
            f"{setting}: {len(gaps)} of {len(values)} samples have no value in this column that can be read, the first "
            f"of them sample {gaps[0] + 1}: fill the gaps, or remove these samples."
        )
    return values


def _refuse_empty(kept: int, held_out: int, setting: str, count: int, of: str = "samples") -> None:
    if not kept or not held_out:
        raise ModelyardError(
            f"`{setting}` of {count} {of} leaves {kept} to train on and holds out {held_out}: "
            f"give a fraction that leaves at least one {of.removesuffix('s')} on each side, or more {of}."
        )
