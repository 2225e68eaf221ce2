"""k-fold: each sample is a validation sample once, and the scaling is fitted on the other folds alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from support.inputs import describe

from modelyard.core.errors import ModelyardError
from modelyard.data import scaling
from modelyard.data.cross_validation import first_training_samples, split_folds
from modelyard.data.inputs import TrainingInput
from modelyard.data.samples import Samples


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


def test_the_seed_decides_the_folds():
    drawn = [[part.validation.y.tolist() for part in split_folds(numbered(30), 3, seed)] for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


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
