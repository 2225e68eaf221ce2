"""The corrected resampled t test, against the same formula with another library's pieces, and its rules."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from scipy.stats import ttest_1samp

from modelyard.metrics.fold_statistics import fold_statistics

VALUES = some.lists(some.floats(0, 1), min_size=2, max_size=30).map(np.array)


@given(values=VALUES, ratio=some.floats(0.01, 1))
def test_the_interval_is_around_the_mean_and_wider_the_larger_the_part_for_testing(values, ratio):
    found, wider = fold_statistics(values, ratio), fold_statistics(values, 2 * ratio)
    assert found.mean == pytest.approx(values.mean())
    assert found.sd == pytest.approx(values.std(ddof=1))
    assert wider.low <= found.low <= found.mean <= found.high <= wider.high


def test_without_the_correction_it_is_the_t_interval_of_scipy():
    values = np.array([0.91, 0.93, 0.9, 0.96, 0.94])
    found, expected = fold_statistics(values, 0.0), ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_the_correction_multiplies_the_variance_of_the_mean():
    """Ten times five folds: 1/50 becomes 1/50 + 1/4, the interval sqrt(13.5) times as wide."""
    values = np.random.default_rng(0).normal(0.9, 0.02, size=50)
    plain, corrected = fold_statistics(values, 0.0), fold_statistics(values, 0.25)
    assert corrected.high - corrected.mean == pytest.approx(np.sqrt(13.5) * (plain.high - plain.mean))


def test_equal_values_have_an_interval_without_width():
    assert fold_statistics(np.full(5, 0.5), 0.25) == (0.5, 0.0, 0.5, 0.5)
