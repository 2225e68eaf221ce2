"""k-fold: each row is held back once, and a scaling is fitted on the rest alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from support.inputs import describe

from modelyard.core.errors import ModelyardError
from modelyard.data import scaling
from modelyard.data.inputs import TrainingInput
from modelyard.data.samples import Samples
from modelyard.tuning.cross_validation import parts, shortened


def numbered(count: int, method: str = "minmax") -> TrainingInput:
    """Samples that hold their own number, and half of it."""
    x = np.stack([np.arange(count), np.arange(count) / 2], axis=1).astype(np.float64)
    rows = Samples(x, np.arange(count, dtype=np.float64))
    return TrainingInput(describe(rows, scaling=method, scaler=scaling.fit(method, x)), rows)


@given(count=some.integers(2, 60), folds=some.integers(2, 8), seed=some.integers(0, 2**32 - 1))
def test_each_row_is_a_validation_row_once_and_otherwise_a_training_row(count, folds, seed):
    if folds > count:
        return
    made = list(parts(numbered(count), folds, seed))
    assert sorted(np.concatenate([part.validation.y for part in made])) == list(range(count))
    for part in made:
        assert sorted([*part.training.y, *part.validation.y]) == list(range(count))
        assert (part.samples.x[:, 0] == part.samples.y).all()
    sizes = [len(part.validation) for part in made]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("method", ["minmax", "standard", "none"])
def test_a_scaling_is_fitted_on_the_training_rows_of_its_fold(method):
    made = list(parts(numbered(20, method), 4, seed=1))
    assert [part.description.scaler for part in made] == [scaling.fit(method, part.training.x) for part in made]
    if method != "none":
        assert len({part.description.scaler for part in made}) > 1


def test_the_same_seed_draws_the_same_folds_and_another_does_not():
    drawn = [[part.validation.y.tolist() for part in parts(numbered(30), 3, seed)] for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_without_folds_the_input_is_as_it_was_divided(regression_input):
    assert list(parts(regression_input, None, 7)) == [regression_input]


def test_more_folds_than_rows_are_refused():
    with pytest.raises(ModelyardError, match="5 folds of 4 rows: give the study at most 4"):
        next(parts(numbered(4), 5, 1))


@given(count=some.integers(3, 60), held=some.integers(1, 30), training_rows=some.integers(1, 60))
def test_a_shortened_input_has_its_first_training_rows_and_all_validation_rows(count, held, training_rows):
    whole = numbered(count)
    sizes = {"training_rows": max(1, count - held), "validation_rows": count - max(1, count - held)}
    data = TrainingInput(whole.description.model_copy(update=sizes), whole.samples)
    if training_rows > len(data.training):
        with pytest.raises(ModelyardError, match=f"{len(data.training)} training rows: give the study at most so many"):
            shortened(data, training_rows)
        return
    short = shortened(data, training_rows)
    assert short.training.y.tolist() == list(range(training_rows))
    assert short.validation.y.tolist() == data.validation.y.tolist()
    assert short.description.scaler == data.description.scaler


def test_an_input_that_is_not_shortened_stays_open_as_it_was(regression_input):
    assert shortened(regression_input, None) is regression_input
