"""Bootstrap confidence intervals of a metric, and of the difference between two models on the same samples."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from modelyard.metrics.definitions import BoundMetric

RESAMPLES = 1000
CONFIDENCE = 0.95
BATCH = 50  # resamples at a time: bounds the memory at 10,000 samples to some 10 MB


class Interval(NamedTuple):
    """A confidence interval at the level CONFIDENCE."""

    low: float
    high: float


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
    def is_significant(self) -> bool:
        """Whether the new model is significantly better; one sample has no interval and never shows it."""
        return self.samples > 1 and self.interval.low > 0

    @property
    def conclusion(self) -> str:
        """Whether the new model is better, worse or neither, with the test that was used."""
        is_worse = self.samples > 1 and self.interval.high < 0
        words = "significantly better" if self.is_significant else "significantly worse" if is_worse else None
        return f"{words or 'no significant difference'} (95 % paired bootstrap)"

    @property
    def within(self) -> str:
        """The interval's ends with their signs."""
        return f"{self.interval.low:+.4g} to {self.interval.high:+.4g}"

    def __str__(self) -> str:
        values = f"{self.metric} {self.new:.4g} against {self.old:.4g} on the same {self.samples} test samples"
        return f"{values}: {self.gain:+.4g}, 95 % interval {self.within}"


def bootstrap_interval(metric: Callable[..., np.ndarray], columns: tuple[np.ndarray, ...], seed: int = 0) -> Interval:
    """Compute the percentile bootstrap interval of a metric whose columns, each of shape (n,), are resampled together.

    One sample cannot be resampled: its interval is the value itself.
    """
    from scipy.stats import bootstrap

    if len(columns[0]) < 2:
        value = float(metric(*columns))
        return Interval(value, value)
    interval = bootstrap(
        columns,
        metric,
        paired=True,
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=BATCH,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(float(interval.low), float(interval.high))


def paired_difference(metric: str, old: BoundMetric, new: BoundMetric) -> PairedDifference:
    """Compare two models in one metric by the paired bootstrap: both see the same resampled samples.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 8.
    """
    count = len(old.arrays)

    def gain(*arrays: np.ndarray, axis: int = -1) -> np.ndarray:
        return new.formula(*arrays[count:], axis=axis) - old.formula(*arrays[:count], axis=axis)

    interval = bootstrap_interval(gain, (*old.arrays, *new.arrays))
    return PairedDifference(metric, len(old.arrays[0]), old.value, new.value, interval)
