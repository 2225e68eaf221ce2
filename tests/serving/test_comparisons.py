"""The level of a comparison: the first as a single one has it, all together at most 5 %."""

import numpy as np
import pytest
from scipy.stats import binom, norm
from statsmodels.stats.contingency_tables import mcnemar

from modelyard.metrics.bootstrap import Interval, PairedDifference
from modelyard.metrics.definitions import METRICS, BoundMetric
from modelyard.serving.comparisons import ALPHA, Comparison, discordant_samples, mcnemar_p_value


def comparison(number: int, low: float = 0.01, high: float = 0.05, samples: int = 100) -> Comparison:
    return Comparison(PairedDifference("accuracy", samples, 0.9, 0.93, Interval(low, high)), number)


def test_the_first_comparison_has_the_interval_of_a_single_one() -> None:
    assert comparison(1).confidence == pytest.approx(95)
    assert tuple(comparison(1).interval) == pytest.approx((0.01, 0.05))
    assert str(comparison(1)) == (
        "accuracy 0.93 against 0.9 on the same 100 test samples: +0.03, 95 % interval +0.01 to +0.05: "
        "significantly better (95 % paired bootstrap)."
    )


def test_the_levels_of_any_number_of_comparisons_add_up_to_at_most_five_percent() -> None:
    levels = [comparison(number).level for number in range(1, 10_000)]
    assert levels == sorted(levels, reverse=True)
    assert 0.999 * ALPHA < sum(levels) <= ALPHA


def test_each_comparison_needs_a_clearer_difference_than_the_one_before() -> None:
    widths = [np.ptp(comparison(number).interval) for number in (1, 2, 10, 100)]
    assert widths == sorted(widths)
    assert [comparison(number).is_significant for number in (1, 2, 10, 100)] == [True, True, False, False]
    assert "comparison 10 on these test samples" in str(comparison(10))


def test_the_interval_of_a_normal_difference_is_that_of_its_level() -> None:
    error = 0.01
    low, high = norm.interval(0.95, 0.03, error)
    wide = comparison(3, low, high)
    assert tuple(wide.interval) == pytest.approx(norm.interval(wide.confidence / 100, 0.03, error))


def test_false_promotions_stay_below_five_percent_whenever_one_stops() -> None:
    """Twenty candidates that are not better, compared one after the other, in 4,000 simulated projects."""
    z = np.random.default_rng(0).normal(size=(4000, 20))
    thresholds = norm.isf([comparison(number).level for number in range(1, 21)])
    assert (z > thresholds).any(axis=1).mean() < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 4000)
    assert (z > norm.isf(0.025)).any(axis=1).mean() > 0.3, "without the correction"


def test_accuracies_are_compared_by_the_samples_that_one_model_alone_predicts() -> None:
    truth = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    old, new = np.array([0, 0, 0, 1, 1, 1, 0, 0]), np.array([0, 0, 0, 0, 1, 0, 1, 1])
    (accuracy,) = (metric for metric in METRICS["classification"] if metric.name == "accuracy")
    others = (metric for metric in METRICS["classification"] if metric.name == "macro_f1")
    bound = [BoundMetric(accuracy.formula, (truth, each)) for each in (old, new)]
    assert discordant_samples(*bound) == (3, 1)
    assert all(discordant_samples(*[BoundMetric(each.formula, (truth, truth))] * 2) is None for each in others)
    table = [[4, 1], [3, 0]]
    assert mcnemar_p_value(3, 1) == pytest.approx(mcnemar(table, exact=True).pvalue / 2)
    assert mcnemar_p_value(0, 0) == 1.0


def test_few_predictions_that_differ_show_no_better_model() -> None:
    """The interval of a bootstrap, stretched to a stricter level, would show one."""
    difference = PairedDifference("accuracy", 300, 0.9, 0.9 + 4 / 300, Interval(0.0033, 0.0267))
    assert Comparison(difference, 2).is_significant
    exact = Comparison(difference, 2, discordant=(4, 0))
    assert not exact.is_significant
    assert "no significant difference (McNemar's exact test, one-sided p 0.062, level 0.0083; comparison 2" in str(
        exact
    )
    assert Comparison(difference, 2, discordant=(9, 0)).is_significant
    assert Comparison(difference, 2, discordant=(0, 9)).is_worse


@pytest.mark.parametrize("number", [1, 2, 5])
def test_an_accuracy_keeps_the_level_of_each_comparison(number: int) -> None:
    level = Comparison(PairedDifference("accuracy", 300, 0.9, 0.9, Interval(0.0, 0.0)), number).level
    for count in range(1, 60):
        wrong = sum(
            binom.pmf(better, count, 0.5)
            for better in range(count + 1)
            if mcnemar_p_value(better, count - better) < level
        )
        assert wrong < level


def test_one_sample_shows_nothing() -> None:
    assert not comparison(1, 0.03, 0.03, samples=1).is_significant
    assert "no significant difference" in str(comparison(1, 0.03, 0.03, samples=1))
