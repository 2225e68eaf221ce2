"""Tests for data drift: equal to the libraries' own, rarely wrong, and blind to differences that do not matter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from benchmarks import data_drift
from modelyard import metrics
from modelyard.data.columns import Column
from modelyard.data.contract import Measured, Reference
from modelyard.metrics import BoundMetric
from modelyard.metrics.bootstrap import Interval
from modelyard.serving import drift
from modelyard.serving.drift import CHI_SQUARE, FeatureTest

RANDOM = np.random.default_rng(0)
TOWN = Column(name="town", kind="category", categories=("Bonn", "Köln", "Ulm", "Trier"))


def measured(values: object, column: Column | None = None, takes_gaps: bool = False) -> Measured:
    column = column or Column(name="area", kind="number")
    return Measured((column,), np.array(values, dtype=float).reshape(-1, 1), (takes_gaps,))


def compare(old: object, new: object, column: Column | None = None, takes_gaps: bool = False) -> list[FeatureTest]:
    return drift.compare(Reference.of(measured(old, column, takes_gaps)), measured(new, column, takes_gaps))


def test_numbers_are_tested_as_scipy_tests_them() -> None:
    old, new = RANDOM.normal(size=300), RANDOM.normal(0.3, size=200)
    (found,) = compare(old, new)
    expected = stats.ks_2samp(old, new)
    assert (found.p_value, found.effect) == pytest.approx((expected.pvalue, expected.statistic))


def test_categories_are_tested_as_scipy_tests_them() -> None:
    old, new = [0] * 50 + [1] * 30 + [2] * 20, [0] * 20 + [1] * 30 + [2] * 50
    (found,) = compare(old, new, TOWN)
    expected = stats.chi2_contingency([[50, 30, 20], [20, 30, 50]], correction=False)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.effect == pytest.approx(0.3)
    assert (found.reference, found.new) == ("Bonn: 50.0%", "Bonn: 20.0%")


def test_categories_that_training_did_not_see_or_hardly_saw_count_together() -> None:
    old = [0] * 50 + [1] * 48 + [2] * 2
    (found,) = compare(old, [0] * 40 + [2] * 30 + [3] * 20 + [-1] * 10, TOWN)
    assert found.reference == "other: 2.0%"
    assert found.new == "other: 60.0%"
    assert found.p_value < 1e-10


def test_gaps_are_tested_where_they_are_allowed() -> None:
    old, new = [1.0] * 95 + [np.nan] * 5, [1.0] * 60 + [np.nan] * 40
    number, gaps = compare(old, new, takes_gaps=True)
    assert (number.p_value, number.effect) == (1.0, 0.0)
    assert (gaps.feature, gaps.test, gaps.reference, gaps.new) == ("area (no value)", CHI_SQUARE, "5.0%", "40.0%")
    assert gaps.effect == pytest.approx(0.35)


def test_nothing_but_gaps_is_no_error() -> None:
    number, gaps = compare([1.0, 2.0, np.nan], [np.nan] * 3, takes_gaps=True)
    assert number.new == "no value"
    assert gaps.new == "100.0%"


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=50))
def test_equal_samples_never_drift(values: list[float]) -> None:
    (found,) = compare(values, values)
    assert (found.effect, found.p_value) == (0.0, 1.0)


def test_a_difference_that_is_significant_but_small_is_no_drift() -> None:
    (found,) = compare(RANDOM.normal(size=50_000), RANDOM.normal(0.15, size=10_000))
    (adjusted,) = drift.adjust([found])
    assert adjusted.p_adjusted < 0.05
    assert found.effect < drift.SMALLEST_EFFECT
    assert not adjusted.has_drifted


def test_p_values_are_corrected_by_holm() -> None:
    tests = [FeatureTest(str(p), "", p, 1.0, "", "") for p in (0.01, 0.02, 0.04)]
    found = drift.adjust(tests)
    assert [each.p_adjusted for each in found] == pytest.approx([0.03, 0.04, 0.04])
    assert [each.has_drifted for each in drift.adjust(tests, 0.035)] == [True, False, False]
    assert drift.adjust([]) == []


def test_the_smallest_detectable_effect_is_where_the_test_becomes_significant() -> None:
    effect = drift.smallest_detectable(1000, 500, 1)
    both = stats.kstwobign.sf(effect * np.sqrt(1000 * 500 / 1500))
    assert both == pytest.approx(0.05, rel=0.01)
    assert drift.smallest_detectable(1000, 2, 10) == 1.0


def bound(right: int, count: int) -> BoundMetric:
    return BoundMetric(metrics.accuracy, (np.ones(count, int), (np.arange(count) < right).astype(int)))


def test_the_interval_of_a_change_of_accuracy_is_newcombes_widened_to_99_percent() -> None:
    before = 180 / 200, Interval(*proportion_confint(180, 200, method="wilson"))
    found = drift.metric_change("accuracy", before, bound(40, 50))
    expected = confint_proportions_2indep(40, 50, 180, 200, compare="diff", method="newcomb")
    wider = stats.norm.isf(0.005) / stats.norm.isf(0.025)
    assert found.interval == pytest.approx([-0.1 + wider * (end + 0.1) for end in expected])


@pytest.mark.parametrize("right, fell", [(50, True), (80, False), (100, False)])
def test_a_metric_has_fallen_if_the_interval_of_its_change_lies_below_0(right: int, fell: bool) -> None:
    change = drift.metric_change("accuracy", (0.9, Interval(0.85, 0.95)), bound(right, 100))
    assert change.has_fallen is fell


NUMBERS = RANDOM.normal(size=40)


@pytest.mark.parametrize(
    "metric",
    [
        bound(0, 1),
        BoundMetric(metrics.correlation, (NUMBERS[:3], -NUMBERS[:3])),
        BoundMetric(metrics.correlation, (np.ones(40), NUMBERS)),
        BoundMetric(metrics.correlation, (NUMBERS, np.ones(40))),
    ],
    ids=["one sample", "three samples", "equal answers", "equal predictions"],
)
def test_where_new_samples_say_nothing_about_a_metric_it_has_not_fallen(metric: BoundMetric) -> None:
    change = drift.metric_change("", (0.9, Interval(0.89, 0.91)), metric)
    assert (change.is_comparable, change.has_fallen) == (False, False)


# --- simulated shifts, a small version of benchmarks/data_drift.py ---

TRIALS = 100
CASES = {(case.change, case.new): case for case in data_drift.cases(images=False)}


def simulate(change: str, new: int, trials: int = TRIALS) -> dict:
    return data_drift.alarms([CASES[change, new]._replace(trials=trials)]).iloc[0].to_dict()


def test_false_alarms_are_at_most_one_in_twenty() -> None:
    found = simulate("none", 200)
    most = stats.binom.ppf(0.999, TRIALS, 0.05) / TRIALS
    assert found["alarms"] <= found["significant"] <= most


def test_a_metric_that_is_the_same_is_rarely_said_to_have_fallen_with_few_samples_and_never_without_a_spread() -> None:
    trials = 100
    found = data_drift.falls(trials, ((200, 2), (200, 3), (200, 5)))
    assert found[found.change == "none"].alarms.max() <= stats.binom.ppf(0.999, trials, 0.01) / trials
    assert found[found.change == "all true targets equal"].alarms.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "change", ["one mean, by one standard deviation", "a category from 5 % to 30 %", "missing values from 5 % to 25 %"]
)
def test_a_clear_shift_is_found_and_named(change: str) -> None:
    found = simulate(change, 200, 8)
    assert found["alarms"] == 1
    assert found["others"] <= 0.5


def test_with_many_samples_p_values_alone_find_a_shift_that_does_not_matter() -> None:
    found = simulate("one mean, by 0.1 standard deviations", 5000, 3)
    assert found["alarms"] == 0


def test_gaps_of_one_among_hundreds_of_features_are_found() -> None:
    columns = tuple(Column(name=f"c{number}", kind="number") for number in range(300))

    def many(rows: int, gaps: int) -> Measured:
        values = np.random.default_rng(rows).normal(size=(rows, 300))
        values[:gaps, 0] = np.nan
        return Measured(columns, values, (True,) * 300)

    tests = drift.compare(Reference.of(many(1000, 1)), many(20, 20))
    drifted = [each.test.feature for each in drift.adjust(tests, drift.ALPHA_WITH_METRIC) if each.has_drifted]
    assert drifted == ["c0 (no value)"]
