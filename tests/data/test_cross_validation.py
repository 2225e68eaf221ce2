"""k-fold: each sample is a validation sample once, and the scaling is fitted on the other folds alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from sklearn.model_selection import GroupKFold, StratifiedKFold, TimeSeriesSplit
from support.inputs import describe

from modelyard.core.errors import ModelyardError
from modelyard.data import scaling
from modelyard.data.cross_validation import first_training_samples, split_folds
from modelyard.data.inputs import TrainingInput
from modelyard.data.samples import Samples
from modelyard.data.target_scaling import TargetScaler


def numbered(count: int, method: str = "minmax") -> TrainingInput:
    """Samples that hold their own number, and half of it."""
    x = np.stack([np.arange(count), np.arange(count) / 2], axis=1).astype(np.float64)
    samples = Samples(x, np.arange(count, dtype=np.float64))
    return TrainingInput(describe(samples, scaling=method, scaler=scaling.fit(method, x)), samples)


@given(count=some.integers(2, 60), folds=some.integers(2, 8), seed=some.integers(0, 2**32 - 1))
def test_each_sample_is_a_validation_sample_in_one_fold_and_a_training_sample_in_the_others(count, folds, seed):
    if folds > count:
        return
    parts = list(split_folds(numbered(count), folds, seed))
    assert sorted(np.concatenate([part.validation.y for part in parts])) == list(range(count))
    for part in parts:
        assert sorted([*part.training.y, *part.validation.y]) == list(range(count))
        assert (part.samples.x[:, 0] == part.samples.y).all()
    sizes = [len(part.validation) for part in parts]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("method", ["minmax", "standard", "none"])
def test_the_scaling_is_fitted_on_the_training_samples_of_its_fold(method):
    parts = list(split_folds(numbered(20, method), 4, seed=1))
    assert [part.description.scaler for part in parts] == [scaling.fit(method, part.training.x) for part in parts]
    if method != "none":
        assert len({part.description.scaler for part in parts}) > 1


def test_the_target_scaling_is_fitted_on_the_training_samples_of_its_fold():
    data = numbered(20)
    description = data.description.model_copy(update={"target_scaler": TargetScaler(method="log")})
    parts = list(split_folds(TrainingInput(description, data.samples), 4, seed=1))
    for part in parts:
        scaled = part.description.target_scaler.transform(part.training.y)
        np.testing.assert_allclose((scaled.mean(), scaled.std()), (0, 1), atol=1e-12)
    assert len({part.description.target_scaler for part in parts}) > 1


def test_the_seed_decides_the_folds():
    drawn = [[part.validation.y.tolist() for part in split_folds(numbered(30), 3, seed)] for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_folds_without_a_rule_of_their_own_are_shuffled_by_numpy_as_ever():
    found = indices_of(split_folds(numbered(10), 3, 7))
    first, second, third = np.array_split(np.random.RandomState(7).permutation(10), 3)
    assert found[1] == ([*first, *third], second.tolist())


def test_without_folds_the_input_keeps_its_own_split(regression_input):
    assert list(split_folds(regression_input, None, 7)) == [regression_input]


def test_more_folds_than_samples_are_refused():
    with pytest.raises(ModelyardError, match="5 folds of 4 samples: set `folds` to 4 at most"):
        next(split_folds(numbered(4), 5, 1))


@given(count=some.integers(3, 60), held=some.integers(1, 30), training_samples=some.integers(1, 60))
def test_training_samples_keep_the_first_training_samples_and_all_validation_samples(count, held, training_samples):
    whole = numbered(count)
    sizes = {"training_samples": max(1, count - held), "validation_samples": count - max(1, count - held)}
    data = TrainingInput(whole.description.model_copy(update=sizes), whole.samples)
    if training_samples > len(data.training):
        with pytest.raises(ModelyardError, match=f"set the study's `training_samples` to {len(data.training)} at most"):
            first_training_samples(data, training_samples)
        return
    short = first_training_samples(data, training_samples)
    assert short.training.y.tolist() == list(range(training_samples))
    assert short.validation.y.tolist() == data.validation.y.tolist()
    assert short.description.scaler == data.description.scaler


def test_without_training_samples_the_input_is_returned_itself(regression_input):
    assert first_training_samples(regression_input, None) is regression_input


# --- by class, group or time ---


def classified(y: np.ndarray, split_by: str | None = "class") -> TrainingInput:
    """Samples that hold their own number, of named classes."""
    samples = Samples(np.arange(len(y), dtype=np.float64)[:, None], y)
    return TrainingInput(describe(samples, classes=("apple", "pear", "plum"), split_by=split_by), samples)


def grouped(groups: np.ndarray) -> TrainingInput:
    plain = numbered(len(groups))
    return TrainingInput(plain.description.model_copy(update={"split_by": "group"}), plain.samples, groups)


def in_time(count: int) -> TrainingInput:
    plain = numbered(count)
    return TrainingInput(plain.description.model_copy(update={"split_by": "time"}), plain.samples)


def indices_of(parts) -> list[tuple[list[int], list[int]]]:
    return [
        (part.training.x[:, 0].astype(int).tolist(), part.validation.x[:, 0].astype(int).tolist()) for part in parts
    ]


@given(
    y=some.lists(some.integers(0, 2), min_size=6, max_size=60),
    folds=some.integers(2, 4),
    seed=some.integers(0, 2**32 - 1),
)
def test_folds_by_class_have_the_classes_shares_and_are_those_of_scikit_learn(y, folds, seed):
    y = np.array([0, 1, 2] * folds + y)
    found = indices_of(split_folds(classified(y), folds, seed))
    expected = StratifiedKFold(folds, shuffle=True, random_state=seed).split(y, y)
    assert found == [(training.tolist(), validation.tolist()) for training, validation in expected]
    for _, validation in found:
        assert (np.abs(np.bincount(y[validation], minlength=3) - np.bincount(y, minlength=3) / folds) < 1).all()


@given(
    groups=some.lists(some.integers(0, 9), min_size=6, max_size=60),
    folds=some.integers(2, 4),
    seed=some.integers(0, 2**32 - 1),
)
def test_no_group_is_on_both_sides_of_a_fold_and_the_folds_are_those_of_scikit_learn(groups, folds, seed):
    groups = np.array([*range(folds), *groups])
    parts = list(split_folds(grouped(groups), folds, seed))
    expected = GroupKFold(folds, shuffle=True, random_state=seed).split(groups, groups=groups)
    assert indices_of(parts) == [(training.tolist(), validation.tolist()) for training, validation in expected]
    for part in parts:
        count = part.description.training_samples
        assert not set(part.groups[:count]) & set(part.groups[count:])
        assert part.groups.tolist() == groups[part.samples.x[:, 0].astype(int)].tolist()


@given(count=some.integers(3, 60), folds=some.integers(2, 6))
def test_folds_in_time_are_validated_on_later_samples_than_they_are_trained_on(count, folds):
    if folds >= count:
        return
    found = indices_of(split_folds(in_time(count), folds, 1))
    assert found == [(one.tolist(), other.tolist()) for one, other in TimeSeriesSplit(folds).split(np.arange(count))]
    assert all(max(training) < min(validation) for training, validation in found)


@pytest.mark.parametrize(
    ("data", "folds", "refusal"),
    [
        (classified(np.array([0, 0, 0, 1, 1])), 3, "3 folds, and class 'pear' has 2 training and validation sample"),
        (classified(np.array([0, 0, 0, 1, 1]), None), 3, "3 folds, and class 'pear' has 2 training and validation"),
        (grouped(np.array([0, 0, 1, 1])), 3, "3 folds of 2 groups: set `folds` to 2 at most"),
        (in_time(3), 3, "3 folds of 3 samples: set `folds` to 2 at most"),
        (
            TrainingInput(classified(np.array([0, 0, 1, 1])).description.model_copy(update={"split_by": "time"}),
                          classified(np.array([0, 0, 1, 1])).samples), 2,
            "class 'pear' is in none of the training samples of fold 1 of 2",
        ),
    ],
)  # fmt: skip
def test_folds_for_which_the_samples_do_not_suffice_are_refused(data, folds, refusal):
    with pytest.raises(ModelyardError) as raised:
        next(split_folds(data, folds, 1))
    assert refusal in str(raised.value)


def test_the_first_training_samples_keep_their_groups():
    groups = np.array([3, 3, 4, 5])
    data = grouped(groups)
    sizes = {"training_samples": 3, "validation_samples": 1}
    data = TrainingInput(data.description.model_copy(update=sizes), data.samples, groups)
    assert first_training_samples(data, 2).groups.tolist() == [3, 3, 5]
