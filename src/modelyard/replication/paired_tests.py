"""Tests, effect sizes and power of paired differences, where scipy and statsmodels do not have them for shared samples.

Re-drawn splits of one data set share samples, so that n differences say less than n independent ones. The functions
take `test_ratio`: the number of samples that a model is measured on, divided by the number that it is trained on; 0
where the differences are independent, because only the seed of the training differs.

Where all seeds share their test samples and a verdict is about other samples too (a crossed design), the functions take
`sample_variance`: the variance of the mean difference when the test samples are drawn again
(`metrics.bootstrap.variance_over_samples`). It adds to that of the seeds, and no number of seeds reduces it.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from modelyard.metrics.bootstrap import CONFIDENCE
from modelyard.metrics.fold_statistics import variance_factor
from modelyard.params.claim import Direction

POWER = 0.8  # Cohen, Statistical Power Analysis for the Behavioral Sciences (1988)
MOST_SEEDS = 100_000
CONSTANT = 1e-12  # differences that vary by less are equal but for rounding

# A claim that denies another: what supports the one contradicts the other.
DENIALS: dict[Direction, Direction] = {"not_lower": "lower", "not_higher": "higher", "equal": "different"}

Values = npt.NDArray[np.float64]


class Probability(NamedTuple):
    """A probability and its confidence interval at the level CONFIDENCE."""

    value: float
    low: float
    high: float


def effective_count(count: int, test_ratio: float) -> float:
    """How many independent differences would say as much about the mean."""
    return 1 / variance_factor(count, test_ratio)


def standard_error(differences: Values, sample_variance: float | Values) -> tuple[Values, Values]:
    """The standard error of the mean difference in a crossed design, and its degrees of freedom, both of shape (...,).

    Source: Welch and Satterthwaite's degrees of freedom of a sum of variances; that of the samples counts as known.
    """
    count = differences.shape[-1]
    of_seeds = differences.var(-1, ddof=1) / count
    with np.errstate(divide="ignore"):
        freedom = (count - 1) * (1 + sample_variance / of_seeds) ** 2
    return np.sqrt(of_seeds + sample_variance), freedom


def p_value_above(
    differences: Values, bound: float, test_ratio: float = 0.0, sample_variance: float | Values = 0.0
) -> Values:
    """The one-sided p value of "the mean difference is above a bound", of shape (...,).

    The corrected resampled t test; with a `test_ratio` of 0 it is that of scipy.stats.ttest_1samp. Equal differences,
    as of metrics that are all 0 or 1, have no variance for a t test: a sign test replaces it.

    Args:
        differences: shape (..., n), at least two.
        bound: what the mean is compared with.
        test_ratio: see the module.
        sample_variance: see the module.
    """
    from scipy.stats import t

    count = differences.shape[-1]
    if np.any(sample_variance):
        error, freedom = standard_error(differences, sample_variance)
        crossed: Values = t.sf((differences.mean(-1) - bound) / error, freedom)
        return crossed
    effective = effective_count(count, test_ratio)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = (differences.mean(-1) - bound) * np.sqrt(effective) / differences.std(-1, ddof=1)
    by_sign = np.where(differences[..., 0] > bound, _probability_of_equal_signs(count, test_ratio), 1.0)
    p_values: Values = np.where(np.ptp(differences, -1) < CONSTANT, by_sign, t.sf(statistic, count - 1))
    return p_values


def p_values(
    direction: Direction,
    differences: Values,
    smallest: float,
    test_ratio: float = 0.0,
    sample_variance: float | Values = 0.0,
) -> tuple[Values, Values]:
    """The p values for and against a claim about the mean of first minus second.

    "Equal" is the equivalence test (TOST): two one-sided tests, against either end of what does not matter. Of these,
    "not_lower" and "not_higher" are one: the test of non-inferiority.

    Args:
        direction: what is claimed of the first.
        differences: shape (..., n).
        smallest: the smallest difference that matters.
        test_ratio: see the module.
        sample_variance: see the module.
    """

    def above(values: Values, bound: float) -> Values:
        return p_value_above(values, bound, test_ratio, sample_variance)

    if direction in DENIALS:
        in_favour, against = p_values(DENIALS[direction], differences, smallest, test_ratio, sample_variance)
        return against, in_favour
    if direction == "different":
        equal = np.maximum(above(differences, -smallest), above(-differences, -smallest))
        return np.minimum(1.0, 2 * np.minimum(above(differences, 0.0), above(-differences, 0.0))), equal
    if direction == "lower":
        differences = -differences
    return above(differences, 0.0), above(-differences, -smallest)


def error_shares(looks: Sequence[int]) -> Values:
    """The share of the error that each look at a growing number of pairs may spend; they add up to 1.

    A p value divided by its share is valid whatever the looks have in common (Bonferroni), for any test.

    Args:
        looks: the numbers of pairs, planned before the first run.

    Source: the power family of spending functions, (n / last) ** 2, of Kim and DeMets, Design and Analysis of Group
    Sequential Tests Based on the Type I Error Spending Rate Function (1987).
    """
    spent = (np.array(looks) / looks[-1]) ** 2
    return np.diff(spent, prepend=0.0)


def cohens_d(differences: Values) -> float | None:
    """The mean difference in standard deviations of the differences (d_z); None if they are equal."""
    return None if np.ptp(differences) < CONSTANT else float(np.mean(differences) / np.std(differences, ddof=1))


def probability_of_superiority(differences: Values, test_ratio: float = 0.0) -> Probability:
    """The probability that the first has the higher metric in one run of both; ties count half.

    Source: Bouthillier et al., Accounting for Variance in Machine Learning Benchmarks (2021), who take a bootstrap
    interval of some 30 pairs. Of five equal signs it has no width, so the interval is Wilson's, of the effective count.
    """
    from statsmodels.stats.proportion import proportion_confint

    value = float(np.mean((np.sign(differences) + 1) / 2))
    effective = effective_count(len(differences), test_ratio)
    low, high = proportion_confint(value * effective, effective, 1 - CONFIDENCE, method="wilson")
    return Probability(value, float(low), float(high))


def power(
    direction: Direction,
    effect: float,
    sd: float,
    count: int,
    level: float,
    test_ratio: float = 0.0,
    sample_variance: float = 0.0,
) -> float:
    """The probability that a test shows a mean difference of `effect`.

    Args:
        direction: "equal" and "different" have a two-sided test, the others a one-sided one.
        effect: the true mean difference in that direction, above 0.
        sd: the standard deviation of the differences.
        count: their number.
        level: the significance level.
        test_ratio: see the module.
        sample_variance: see the module.

    Source: statsmodels.stats.power.TTestPower, with the effective count.
    """
    from scipy.stats import norm
    from statsmodels.stats.power import TTestPower

    sides = 2 if direction in ("equal", "different") else 1
    if sd < CONSTANT and sample_variance:
        return float(norm.sf(norm.isf(level / sides) - effect / np.sqrt(sample_variance)))
    if sd < CONSTANT:
        return float(sides * _probability_of_equal_signs(count, test_ratio) < level)
    variance = sd**2 / effective_count(count, test_ratio)
    freedom = (count - 1) * (1 + sample_variance / variance) ** 2
    effective = sd**2 / (variance + sample_variance)
    # Half of a two-sided level on the side of the effect: the other side adds next to nothing.
    return float(TTestPower().power(effect / sd, effective, level / sides, df=freedom, alternative="larger"))


def seeds_needed(
    direction: Direction,
    effect: float,
    sd: float,
    level: float,
    test_ratio: float = 0.0,
    sample_variance: float = 0.0,
) -> int | None:
    """How many pairs show a mean difference of `effect` with the probability POWER; None if MOST_SEEDS do not.

    The arguments are those of `power`.
    """

    def suffices(count: int) -> bool:
        return power(direction, effect, sd, count, level, test_ratio, sample_variance) >= POWER

    low, high = 1, 2  # more seeds have more power; doubled first, because power is NaN far above what is needed
    while not suffices(high):
        if high >= MOST_SEEDS:
            return None
        low, high = high, min(2 * high, MOST_SEEDS)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle, high)
    return high


@cache
def _probability_of_equal_signs(count: int, test_ratio: float) -> float:
    """The probability that differences are all positive if either sign is as probable: 0.5 ** count without splits.

    Re-drawn splits have the correlation that the corrected t test assumes, test_ratio / (1 + test_ratio): given a
    standard normal z that they share, a difference is positive with the probability Phi(z * sqrt(test_ratio)).
    """
    from scipy.stats import norm

    return float(norm.expect(lambda z: norm.cdf(np.sqrt(test_ratio) * z) ** count))
