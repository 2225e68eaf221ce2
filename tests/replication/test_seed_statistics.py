"""Mean, standard deviation and confidence interval over seeds."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from modelyard.replication.seed_statistics import seed_statistics


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=20))
def test_the_mean_lies_in_its_interval(values):
    statistics = seed_statistics(np.array(values))
    assert statistics.low <= statistics.mean + 1e-9
    assert statistics.mean <= statistics.high + 1e-9


def test_the_interval_is_a_t_interval():
    values = np.array([1.0, 2.0, 4.0, 9.0])
    low, high = scipy.stats.t.interval(0.95, 3, loc=4.0, scale=scipy.stats.sem(values))
    assert seed_statistics(values) == pytest.approx((4.0, np.std(values, ddof=1), low, high))


def test_the_interval_covers_the_true_mean_as_often_as_its_level():
    random = np.random.default_rng(0)
    samples = [seed_statistics(random.normal(3, 2, size=5)) for _ in range(200)]
    assert np.mean([each.low <= 3 <= each.high for each in samples]) == pytest.approx(0.95, abs=0.047)


def test_equal_values_have_an_interval_without_width():
    assert seed_statistics(np.full(4, 0.5)) == (0.5, 0.0, 0.5, 0.5)
    assert seed_statistics(np.full(4, 0.5)).interval == (0.5, 0.5)


def test_a_single_value_has_no_standard_deviation_and_no_interval():
    assert seed_statistics(np.array([0.5])) == (0.5, None, None, None)
    assert seed_statistics(np.array([0.5])).interval is None


def test_the_text_has_signs_and_the_interval():
    assert seed_statistics(np.array([0.5])).text == "+0.5"
    assert seed_statistics(np.array([-1.0, -2.0])).text == "-1.5 (-7.85 to +4.85)"
