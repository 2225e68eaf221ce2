"""Data drift: whether samples differ from those that a model was trained on by more than chance.

Each feature is tested by itself, numbers by Kolmogorov and Smirnov, categories by chi-square, with Holm's correction
over all of them. With many samples every difference is significant, so it must also be large: see SMALLEST_EFFECT.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from modelyard.data.columns import Column, Kind
from modelyard.data.contract import FeatureSummary, Measured, Reference, count_categories, value_text
from modelyard.metrics import BoundMetric, correlation
from modelyard.metrics.bootstrap import Interval, confidence_interval

ALPHA = 0.05  # the probability of any alarm where nothing has changed
ALPHA_WITH_METRIC = 0.04  # of the tests, where a metric is compared as well
ALPHA_OF_METRIC = 0.005  # one-sided; the rest is in reserve, for intervals of few samples are too narrow
SMALLEST_EFFECT = 0.1  # of normal values, the distance after a shift of a quarter of their standard deviation
FEWEST_OF_CORRELATION = 4  # samples: that of two is always 1 or -1, and of three is mostly near one of them
FEW = 5  # samples expected in a cell, below which chi-square's distribution is no approximation (Cochran 1954)
RESAMPLES = 9999  # more, where Holm's correction could not find so small a p value significant
MOST_COUNTS = 1_000_000  # of resamples, in memory at a time
KS, CHI_SQUARE = "Kolmogorov-Smirnov", "chi-square"
OTHER = "other"

Values = npt.NDArray[np.float64]


class FeatureTest(NamedTuple):
    """A feature of new samples compared with the same of the training samples.

    Attributes:
        feature: its name.
        test: the name of the test.
        p_value: of this test alone.
        effect: the largest difference of the shares of any values: the distance of Kolmogorov and Smirnov for numbers
            (of values up to some number), the total variation distance for categories.
        reference: what the feature was like, in words: of the training samples, or of outputs for the test samples.
        new: what it is like.
    """

    feature: str
    test: str
    p_value: float
    effect: float
    reference: str
    new: str


class AdjustedTest(NamedTuple):
    """A test with its p value after Holm's correction, and whether the feature has drifted."""

    test: FeatureTest
    p_adjusted: float
    has_drifted: bool


@dataclass(frozen=True)
class NewMetric:
    """A metric on new samples compared with its value on the test samples; higher is better.

    Attributes:
        metric: its name.
        rows: the number of new samples.
        before: the value on the test samples.
        after: the value on the new samples.
        interval: of after - before, of 99 %.
        is_comparable: whether the new samples say anything about it; else `after` and `interval` mean nothing.
    """

    metric: str
    rows: int
    before: float
    after: float
    interval: Interval
    is_comparable: bool = True

    @property
    def has_fallen(self) -> bool:
        """Whether it is lower by more than chance."""
        return self.is_comparable and self.interval.high < 0


def compare(reference: Reference, new: Measured) -> list[FeatureTest]:
    """Compare each feature, and the share of its gaps where it may have or now has any."""
    gaps = [bool(np.isnan(column).any()) for column in new.values.T]
    count = len(reference.features) + sum(
        feature.gaps is not None or gaps[number] for number, feature in enumerate(reference.features)
    )
    resamples = max(RESAMPLES, math.ceil(2 * count / ALPHA_WITH_METRIC))
    return [
        test
        for number, feature in enumerate(reference.features)
        for test in _tests(feature, reference.kept(number), new, number, resamples)
    ]


def adjust(tests: Sequence[FeatureTest], alpha: float = ALPHA) -> list[AdjustedTest]:
    """Correct the p values of tests by Holm's method; a drift is significant at `alpha` and large."""
    from statsmodels.stats.multitest import multipletests

    if not tests:
        return []
    adjusted = multipletests([test.p_value for test in tests], method="holm")[1]
    return [
        AdjustedTest(test, float(p_value), bool(p_value < alpha and test.effect >= SMALLEST_EFFECT))
        for test, p_value in zip(tests, adjusted, strict=True)
    ]


def smallest_detectable(reference_rows: int, rows: int, tests: int, alpha: float = ALPHA) -> float:
    """The smallest effect of a number that would be significant, of so many tests."""
    critical = np.sqrt(-np.log(alpha / max(1, tests) / 2) / 2)
    return float(min(1.0, critical * np.sqrt((reference_rows + rows) / (reference_rows * rows))))


def metric_change(metric: str, before: tuple[float, Interval], new_samples: BoundMetric | None) -> NewMetric:
    """Compare a metric on the test samples with the same on new samples, if there are any, by the intervals of both.

    The intervals are those of 95 %; that of the difference is widened to ALPHA_OF_METRIC by the quantiles of a normal
    distribution.

    Source: MOVER of Zou and Donner (2008), which for accuracies with Wilson's intervals is Newcombe's (1998).
    """
    from scipy.stats import norm

    wider = float(norm.isf(ALPHA_OF_METRIC) / norm.isf(0.025))
    (old, old_interval), rows = before, len(new_samples.arrays[0]) if new_samples else 0
    if new_samples is None or not _is_comparable(new_samples):
        return NewMetric(metric, rows, old, 0.0, Interval(0.0, 0.0), is_comparable=False)
    new, new_interval = new_samples.value, confidence_interval(new_samples).interval
    low = new - old - wider * np.hypot(new - new_interval.low, old_interval.high - old)
    high = new - old + wider * np.hypot(new_interval.high - new, old - old_interval.low)
    return NewMetric(metric, rows, old, new, Interval(float(low), float(high)))


def _is_comparable(metric: BoundMetric) -> bool:
    """Whether samples suffice for a metric: one has no interval, and equal values have no correlation."""
    rows = len(metric.arrays[0])
    if metric.formula is correlation:
        return rows >= FEWEST_OF_CORRELATION and all(np.ptp(each) > 0 for each in metric.arrays)
    return rows > 1


def _tests(feature: FeatureSummary, kept: Values, new: Measured, number: int, resamples: int) -> Iterator[FeatureTest]:
    values = new.values[:, number]
    present = values[~np.isnan(values)]
    if feature.is_coded:
        yield _test_categories(feature, present, new, number, resamples)
    else:
        yield _test_numbers(feature, kept, present)
    if feature.gaps is not None or len(present) < len(values):  # where they are refused, training samples had none
        counts = np.array([[feature.rows, feature.gaps or 0], [len(present), len(values) - len(present)]])
        p_value, effect = _chi_square(counts, resamples)
        shares = [f"{share:.1%}" for share in shares_of(counts)[:, 1]]
        yield FeatureTest(f"{feature.name} (no value)", CHI_SQUARE, p_value, effect, *shares)


def _test_numbers(feature: FeatureSummary, kept: Values, present: Values) -> FeatureTest:
    from scipy.stats import ks_2samp

    texts = [numbers_text(values, feature.kind) for values in (kept, present)]
    if not len(kept) or not len(present):
        return FeatureTest(feature.name, KS, 1.0, 0.0, *texts)
    found = ks_2samp(kept, present)
    effect = float(found.statistic)
    return FeatureTest(feature.name, KS, float(found.pvalue), effect, *texts)


def _test_categories(feature: FeatureSummary, codes: Values, new: Measured, number: int, resamples: int) -> FeatureTest:
    """Compare the counts of the categories that the contract names, and of all others together."""
    counts = category_counts(feature, codes, new.columns[number])
    p_value, effect = _chi_square(counts, resamples)
    shares = shares_of(counts)
    most = int(np.abs(shares[1] - shares[0]).argmax())
    name = [*feature.categories, OTHER][most]
    return FeatureTest(
        feature.name, CHI_SQUARE, p_value, effect, *(f"{name}: {share:.1%}" for share in shares[:, most])
    )


def category_counts(feature: FeatureSummary, codes: Values, column: Column) -> npt.NDArray[np.integer]:
    """Count training and new samples (2, k) of each category that the contract names, then of all others together."""
    found = count_categories(codes, column)
    named = [found[name] for name in feature.categories]
    return np.array([[*feature.categories.values(), feature.rarer], [*named, found.total() - sum(named)]])


def shares_of(counts: npt.NDArray[np.integer]) -> Values:
    """Return the share of each count in its row; 0 in a row without samples."""
    shares: Values = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return shares


def _chi_square(counts: npt.NDArray[np.integer], resamples: int = RESAMPLES) -> tuple[float, float]:
    """The p value of the homogeneity of two rows of counts, and their total variation distance.

    Of sparse counts it is that of RESAMPLES resamples; of so many as are given, where none of these is as extreme.
    """
    from scipy.stats import MonteCarloMethod, chi2_contingency
    from scipy.stats.contingency import expected_freq

    counts = counts[:, counts.sum(axis=0) > 0]
    if counts.shape[1] < 2 or not counts.sum(axis=1).all():
        return 1.0, 0.0

    def p_value_of(method: MonteCarloMethod | None) -> float:
        return float(chi2_contingency(counts, correction=False, method=method).pvalue)

    if expected_freq(counts).min() >= FEW:
        p_value = p_value_of(None)
    else:
        rng, batch = np.random.default_rng(0), max(1, MOST_COUNTS // counts.size)
        p_value = p_value_of(MonteCarloMethod(n_resamples=RESAMPLES, batch=batch, rng=rng))
        if p_value <= 1 / (RESAMPLES + 1) and resamples > RESAMPLES:
            p_value = p_value_of(MonteCarloMethod(n_resamples=resamples, batch=batch, rng=rng))
    shares = shares_of(counts)
    return p_value, float(np.abs(shares[1] - shares[0]).sum() / 2)


def numbers_text(values: Values, kind: Kind) -> str:
    """The median of numbers, and the range of nine in ten."""
    if not len(values):
        return "no value"
    low, median, high = (value_text(value, kind, 4) for value in np.percentile(values, (5, 50, 95)))
    return f"{median} ({low} to {high})"
