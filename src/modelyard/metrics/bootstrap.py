"""Confidence intervals of a metric, most by bootstrap, and of differences between models on the same samples.

How often each method covers the true value was measured: docs/intervals.md.
"""

import warnings
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from modelyard.metrics.definitions import BoundMetric, accuracy, balanced_accuracy, macro_f1

RESAMPLES = 1000
CONFIDENCE = 0.95
FEW = 1000  # samples up to which the bias and skewness of a bootstrap are corrected (BCa); above, they do not matter
BATCH = 50  # resamples at a time: bounds the memory at 10,000 samples to some 10 MB


class Interval(NamedTuple):
    """A confidence interval at the level CONFIDENCE."""

    low: float
    high: float


class NamedInterval(NamedTuple):
    """A confidence interval and the method that found it."""

    interval: Interval
    method: str


class Distance(NamedTuple):
    """By how much the best value of a metric exceeds another, with its confidence interval."""

    value: float
    interval: Interval


class PairedDifference(NamedTuple):
    """A metric of two models on the same samples, and the confidence interval of new - old; higher is better.

    Attributes:
        metric: Name of the metric.
        samples: Number of samples.
        old: Value of the old model.
        new: Value of the new model.
        interval: Paired bootstrap interval of the gain.
    """

    metric: str
    samples: int
    old: float
    new: float
    interval: Interval

    @property
    def gain(self) -> float:
        """By how much the new model's value is higher."""
        return self.new - self.old

    @property
    def within(self) -> str:
        """The interval's ends with their signs."""
        return f"{self.interval.low:+.4g} to {self.interval.high:+.4g}"


def confidence_interval(metric: BoundMetric) -> NamedInterval:
    """The confidence interval of a metric on test samples.

    - Wilson's interval of an accuracy: a bootstrap of an accuracy near 1 is too narrow, and without width at 1. Also of
      a macro F1 or balanced accuracy without any wrong prediction.
    - Else the bootstrap, of up to FEW samples with bias and skewness corrected (BCa, Efron 1987).
    """
    count = len(metric.arrays[0])
    if metric.formula is accuracy or (
        metric.formula in (macro_f1, balanced_accuracy) and np.array_equal(metric.arrays[0], metric.arrays[1])
    ):
        return NamedInterval(_wilson(metric.value, count), "Wilson")
    if 1 < count <= FEW:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that there is no BCa interval, where resamples or jackknife do not vary
            found = _bootstrap(metric.formula, metric.arrays, method="BCa").confidence_interval
        if np.isfinite(found).all():
            return NamedInterval(Interval(float(found.low), float(found.high)), "BCa bootstrap")
    return NamedInterval(bootstrap_interval(*metric), "percentile bootstrap")


def _wilson(share: float, count: int) -> Interval:
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(round(share * count), count, 1 - CONFIDENCE, method="wilson")
    return Interval(max(0.0, float(low)), min(1.0, float(high)))


def bootstrap_interval(metric: Callable[..., np.ndarray], columns: tuple[np.ndarray, ...], seed: int = 0) -> Interval:
    """Compute the percentile bootstrap interval of a metric whose columns, each of shape (n,), are resampled together.

    One sample cannot be resampled: its interval is the value itself.
    """
    if len(columns[0]) < 2:
        value = float(metric(*columns))
        return Interval(value, value)
    interval = _bootstrap(metric, columns, seed).confidence_interval
    return Interval(float(interval.low), float(interval.high))


def distances_from_best(models: Sequence[BoundMetric]) -> list[Distance]:
    """By how much the highest value of a metric exceeds that of each model, all on the same samples.

    The intervals hold together: in 95 % of all cases, each of them contains the true distance from this model. One
    whose interval reaches 0 is indistinguishable from the best. They are those of all pairs of models, because any of
    them could have had the highest value: intervals for a best one that is known beforehand would be too narrow.

    Source: Tukey's intervals of all pairs, with the largest studentized difference of a bootstrap in the place of the
    studentized range (Westfall and Young, Resampling-Based Multiple Testing, 1993).
    """
    values = np.array([model.value for model in models])
    best, counts = int(values.argmax()), np.cumsum([len(model.arrays) for model in models])[:-1]
    distances = values[best] - values
    if len(models[0].arrays[0]) < 2:
        return [Distance(float(each), Interval(0.0, float(each))) for each in distances]

    def values_of(*arrays: np.ndarray, axis: int = -1) -> np.ndarray:
        split = [arrays[start:end] for start, end in zip([0, *counts], [*counts, None], strict=True)]
        return np.stack([model.formula(*each, axis=axis) for model, each in zip(models, split, strict=True)])

    drawn = _bootstrap(values_of, [array for model in models for array in model.arrays]).bootstrap_distribution
    errors = (drawn[best] - drawn).std(axis=-1, ddof=1)
    largest = _critical_value(values, drawn)
    return [
        Distance(float(each), Interval(float(each - largest * error), float(each + largest * error)))
        for each, error in zip(distances, errors, strict=True)
    ]


def _critical_value(values: np.ndarray, drawn: np.ndarray) -> float:
    """How many standard errors the differences of all pairs of values (m,) stay within, in 95 % of draws (m, n)."""
    largest = np.zeros(drawn.shape[-1])
    for first, second in combinations(range(len(values)), 2):
        differences = drawn[first] - drawn[second]
        if error := differences.std(ddof=1):
            np.maximum(largest, np.abs(differences - (values[first] - values[second])) / error, out=largest)
    return float(np.quantile(largest, CONFIDENCE))


def variance_over_samples(pairs: Iterable[tuple[BoundMetric, BoundMetric]]) -> float:
    """The variance of the mean difference of several pairs, all on the same samples, when these are drawn again."""
    drawn = [  # with one seed, each pair is resampled alike
        _bootstrap(_difference(first, second), (*first.arrays, *second.arrays)).bootstrap_distribution
        for first, second in pairs
    ]
    return float(np.var(np.mean(drawn, axis=0), ddof=1))


def paired_difference(metric: str, old: BoundMetric, new: BoundMetric) -> PairedDifference:
    """Compare two models in one metric by the paired bootstrap: both see the same resampled samples.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 8.
    """
    interval = bootstrap_interval(_difference(new, old), (*new.arrays, *old.arrays))
    return PairedDifference(metric, len(old.arrays[0]), old.value, new.value, interval)


def _difference(first: BoundMetric, second: BoundMetric) -> Callable[..., np.ndarray]:
    """The formula of first minus second, of the arrays of both."""
    count = len(first.arrays)

    def formula(*arrays: np.ndarray, axis: int = -1) -> np.ndarray:
        difference: np.ndarray = first.formula(*arrays[:count], axis=axis) - second.formula(*arrays[count:], axis=axis)
        return difference

    return formula


def _bootstrap(
    statistic: Callable[..., np.ndarray], columns: Sequence[np.ndarray], seed: int = 0, method: str = "percentile"
) -> Any:
    """Resample columns, each of shape (n,), together; with one seed, all that have n samples are resampled alike."""
    from scipy.stats import bootstrap

    return bootstrap(
        columns,
        statistic,
        paired=True,
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=BATCH,
        confidence_level=CONFIDENCE,
        method=method,
        rng=np.random.default_rng(seed),
    )
