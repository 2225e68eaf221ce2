"""Intervals of made-up test sets whose true metric is known: a small version of benchmarks/interval_coverage.py."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from statsmodels.stats.proportion import proportion_confint

from benchmarks import interval_coverage

TRIALS = 150


@pytest.fixture(scope="module")
def results() -> pd.DataFrame:
    """The cases that are computed at once; the others are too slow for a test."""
    cases = interval_coverage.cases(detection=False)
    chosen = [case._replace(trials={50: TRIALS}) for case in cases if case.metric in ("accuracy", "loss")]
    return interval_coverage.coverage(chosen).set_index(["metric", "samples"])


def test_the_intervals_of_an_accuracy_cover_it(results):
    assert (results.loc["accuracy"].covered >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / TRIALS)).all()
    assert set(results.loc["accuracy"].method) == {"Wilson"}


def test_a_percentile_bootstrap_misses_an_accuracy_near_one(results):
    assert results.loc[("accuracy", "99% right"), "percentile"] < 0.6


def test_no_method_is_named_that_was_not_used(results):
    assert set(results.loc["loss"].method) == {"BCa bootstrap"}


@pytest.mark.parametrize("accuracy", [0.6, 0.9, 0.99, 0.9965])
def test_the_exact_coverage_of_an_accuracy_is_that_of_wilsons_formula(accuracy: float):
    right = np.arange(51)
    low, high = proportion_confint(right, 50, method="wilson")
    expected = binom.pmf(right, 50, accuracy)[(low <= accuracy) & (accuracy <= high)].sum()
    assert interval_coverage.accuracy_coverage(50, np.array([accuracy])) == pytest.approx(expected)
