"""Tests, effect sizes and power: against scipy, statsmodels, published numbers and rules."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.weightstats import DescrStatsW

from modelyard.metrics.fold_statistics import fold_statistics
from modelyard.params.claim import Direction
from modelyard.replication import paired_tests
from modelyard.replication.paired_tests import (
    cohens_d,
    error_shares,
    p_value_above,
    p_values,
    power,
    probability_of_superiority,
    seeds_needed,
)

DIFFERENCES = np.array([0.4, -0.1, 0.7, 0.2, 0.5, 0.3])
numbers = st.lists(st.integers(-50, 50), min_size=2, max_size=20).map(lambda values: np.array(values) / 10)
ratios = st.floats(0, 1)
quickly = hypothesis_settings(max_examples=50, deadline=None)


def test_without_shared_samples_the_test_is_that_of_scipy():
    expected = stats.ttest_1samp(DIFFERENCES, 0.1, alternative="greater").pvalue
    assert p_value_above(DIFFERENCES, 0.1) == pytest.approx(expected)


def test_the_corrected_t_is_the_one_of_nadeau_and_bengio():
    """Their equation: mean / sqrt((1 / J + n2 / n1) * variance), J - 1 degrees of freedom; here 9/10 and 1/10."""
    statistic = np.mean(DIFFERENCES) / np.sqrt((1 / 6 + 1 / 9) * np.var(DIFFERENCES, ddof=1))
    assert p_value_above(DIFFERENCES, 0.0, 1 / 9) == pytest.approx(stats.t.sf(statistic, 5))


@quickly
@given(numbers.filter(lambda values: np.ptp(values) > 0), ratios)
def test_a_bound_is_outside_the_interval_of_the_folds_if_the_test_rejects_it(values, ratio):
    interval = fold_statistics(values, ratio)
    for bound, sign in ((interval.low, 1), (interval.high, -1)):
        assert p_value_above(sign * values, sign * bound, ratio) == pytest.approx(0.025)


@quickly
@given(numbers, ratios, st.floats(-3, 3))
def test_shared_samples_never_make_a_test_surer(values, ratio, bound):
    alone, corrected = p_value_above(values, bound), p_value_above(values, bound, ratio)
    assert abs(corrected - 0.5) <= abs(alone - 0.5) + 1e-12 or np.ptp(values) == 0


def test_the_shares_of_looks_grow_and_add_up_to_the_whole_error():
    assert error_shares((8, 16)).tolist() == [0.25, 0.75]
    assert error_shares((5, 10, 20)).tolist() == [0.0625, 0.1875, 0.75]
    assert error_shares((7,)).tolist() == [1.0]


def test_verdicts_of_a_crossed_design_are_right_about_other_samples_too():
    """Seeds and test samples each move the mean; half of 4,000 claims are above 0 and tested against it."""
    random = np.random.default_rng(0)
    seeds, of_samples = 0.5, 0.3
    differences = random.normal(scale=seeds, size=(4000, 8)) + random.normal(scale=of_samples, size=(4000, 1))
    rejected = p_value_above(differences, 0.0, sample_variance=of_samples**2) < 0.05
    assert rejected.mean() == pytest.approx(0.05, abs=0.012)
    assert (p_value_above(differences, 0.0) < 0.05).mean() > 0.15


def test_a_crossed_design_has_the_degrees_of_freedom_of_welch_and_satterthwaite():
    """As the test of two samples with unequal variances, of which the second is large and has the mean 0."""
    sample_variance, large = 0.02, 10**9
    expected = stats.ttest_ind_from_stats(
        np.mean(DIFFERENCES), np.std(DIFFERENCES, ddof=1), 6, 0.0, np.sqrt(sample_variance * large), large,
        equal_var=False, alternative="greater",
    ).pvalue  # fmt: skip
    assert p_value_above(DIFFERENCES, 0.0, sample_variance=sample_variance) == pytest.approx(expected)


def test_without_seed_variance_a_crossed_design_is_a_normal_test_of_the_samples():
    assert p_value_above(np.full(5, 1.0), 0.0, sample_variance=0.25) == pytest.approx(stats.norm.sf(2))
    assert power("higher", 1.0, 0.0, 5, 0.05, sample_variance=0.25) == pytest.approx(
        stats.norm.sf(stats.norm.isf(0.05) - 2)
    )


def test_no_number_of_seeds_suffices_where_the_test_samples_do_not():
    assert seeds_needed("higher", 0.5, 1.0, 0.05, sample_variance=0.01) > seeds_needed("higher", 0.5, 1.0, 0.05)
    assert seeds_needed("higher", 0.5, 1.0, 0.05, sample_variance=0.05) is None


@quickly
@given(st.lists(numbers, min_size=2, max_size=2), ratios)
def test_many_claims_at_once_have_the_p_values_of_each_alone(rows, ratio):
    count = min(map(len, rows))
    table = np.array([row[:count] for row in rows])
    for direction in get_args(Direction):
        together = np.array(p_values(direction, table, 0.5, ratio))
        alone = np.array([p_values(direction, row, 0.5, ratio) for row in table]).T
        np.testing.assert_allclose(together, alone)


@quickly
@given(numbers, ratios)
def test_swapped_sides_have_the_p_values_of_the_opposite_direction(values, ratio):
    opposite = {"higher": "lower", "not_lower": "not_higher", "equal": "equal", "different": "different"}
    for direction, other in opposite.items():
        swapped = p_values(other, -values, 0.5, ratio)
        np.testing.assert_allclose(p_values(direction, values, 0.5, ratio), swapped)


def test_equality_is_the_equivalence_test_of_statsmodels():
    equal, different = p_values("equal", DIFFERENCES, 0.5)
    assert equal == pytest.approx(DescrStatsW(DIFFERENCES).ttost_mean(-0.5, 0.5)[0])
    assert different == pytest.approx(stats.ttest_1samp(DIFFERENCES, 0).pvalue)


def test_non_inferiority_is_one_side_of_the_equivalence_test_of_statsmodels():
    (not_lower, lower), (not_higher, higher) = (
        p_values(each, DIFFERENCES, 0.5) for each in ("not_lower", "not_higher")
    )
    _, (_, above, _), (_, below, _) = DescrStatsW(DIFFERENCES).ttost_mean(-0.5, 0.5)
    assert (not_lower, not_higher) == (pytest.approx(above), pytest.approx(below))
    assert lower == pytest.approx(stats.ttest_1samp(DIFFERENCES, 0, alternative="less").pvalue)
    assert higher == pytest.approx(stats.ttest_1samp(DIFFERENCES, 0, alternative="greater").pvalue)


def test_equal_differences_are_tested_by_their_signs():
    assert p_value_above(np.full(6, 0.5), 0.0) == pytest.approx(stats.binomtest(6, 6, alternative="greater").pvalue)
    assert p_value_above(np.full(6, 0.5), 0.5) == 1


@pytest.mark.parametrize("count", [2, 3])
def test_equal_signs_of_splits_have_the_orthant_probability_of_a_normal_distribution(count):
    """Known in closed form for two and three correlated normal numbers: Stuart and Ord, Kendall's Advanced Theory."""
    ratio, correlation = 0.25, 0.2
    pairs = count * (count - 1) / 2
    expected = 0.5**count + pairs * np.arcsin(correlation) * (1 / (2 * np.pi) if count == 2 else 1 / (4 * np.pi))
    assert p_value_above(np.full(count, 0.5), 0.0, ratio) == pytest.approx(expected)


def test_cohens_d_is_the_mean_in_standard_deviations():
    assert cohens_d(DIFFERENCES) == pytest.approx(stats.ttest_1samp(DIFFERENCES, 0).statistic / np.sqrt(6))
    assert cohens_d(np.ones(6)) is None


def test_the_probability_of_superiority_has_wilsons_interval():
    """Agresti and Coull (1998): Wilson's 95 % interval of 9 of 10 is 0.596 to 0.982; of 10 of 10 0.722 to 1."""
    assert probability_of_superiority(np.array([1.0] * 9 + [-1])) == pytest.approx((0.9, 0.596, 0.982), abs=5e-4)
    assert probability_of_superiority(np.ones(10)) == pytest.approx((1, 0.722, 1), abs=5e-4)
    assert probability_of_superiority(np.zeros(10)).value == 0.5, "ties count half"
    # Of twenty differences with the ratio 0.05 (one in 21 for testing) ten are independent: 1 / (1 / 20 + 0.05).
    assert probability_of_superiority(np.ones(20), 0.05) == pytest.approx((1, 0.722, 1), abs=5e-4)


@quickly
@given(numbers, ratios)
def test_swapped_sides_have_the_opposite_probability(values, ratio):
    first, second = probability_of_superiority(values, ratio), probability_of_superiority(-values, ratio)
    assert first == pytest.approx((1 - second.value, 1 - second.high, 1 - second.low))
    assert first.low <= first.value + 1e-12
    assert first.value <= first.high + 1e-12


@pytest.mark.parametrize(("direction", "count"), [("higher", 27), ("lower", 27), ("equal", 34), ("different", 34)])
def test_the_number_of_seeds_is_the_published_one(direction, count):
    """The numbers that G*Power gives for a paired t test with d 0.5, level 0.05 and power 0.8: 27 and 34."""
    assert seeds_needed(direction, 0.5, 1.0, 0.05) == count


def test_no_number_of_splits_shows_an_effect_below_what_they_share():
    assert seeds_needed("higher", 0.5, 1.0, 0.05, test_ratio=0.25) is None
    assert seeds_needed("higher", 2.0, 1.0, 0.05, test_ratio=0.25) == 6
    assert seeds_needed("higher", 1e-4, 1.0, 0.05) is None


def test_without_spread_the_signs_of_the_differences_decide():
    assert seeds_needed("higher", 0.5, 0.0, 0.05) == 5
    assert seeds_needed("different", 0.5, 0.0, 0.05) == 6
    assert seeds_needed("higher", 0.5, 0.0, 0.05, test_ratio=0.25) > 5


@quickly
@given(st.floats(0.1, 3), st.floats(0.001, 0.1), ratios)
def test_the_seeds_needed_are_the_fewest_that_suffice(effect, level, ratio):
    count = seeds_needed("higher", effect, 1.0, level, ratio)
    if count is not None:
        assert power("higher", effect, 1.0, count, level, ratio) >= paired_tests.POWER
        assert count == 2 or power("higher", effect, 1.0, count - 1, level, ratio) < paired_tests.POWER
