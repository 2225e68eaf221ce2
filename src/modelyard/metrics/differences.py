"""Whether a model is better than another on the same rows by more than the noise of those rows."""

from typing import NamedTuple

import numpy as np

from modelyard.metrics.bootstrap import Interval, bootstrap_interval
from modelyard.metrics.definitions import BoundMetric


class PairedDifference(NamedTuple):
    """A metric, of which more is better, of two models on the same rows, and the interval of what the new one gains."""

    metric: str
    rows: int
    old: float
    new: float
    interval: Interval

    @property
    def gain(self) -> float:
        """By how much the new model's figure is greater."""
        return self.new - self.old

    @property
    def is_clear(self) -> bool:
        """Whether the new model is better by more than the noise; what a single row says is all noise."""
        return self.rows > 1 and self.interval.low > 0

    @property
    def within(self) -> str:
        """The interval's ends with their signs."""
        return f"{self.interval.low:+.4g} to {self.interval.high:+.4g}"

    def __str__(self) -> str:
        told = f"{self.metric} {self.new:.4g} against {self.old:.4g} on the same {self.rows} test rows"
        return f"{told}: {self.gain:+.4g}, 95 % interval {self.within}"


def paired_difference(metric: str, old: BoundMetric, new: BoundMetric) -> PairedDifference:
    """Compare two models' measures of one metric by the paired bootstrap: both see the same resampled rows.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 8.
    """
    (of_old, old_columns), (of_new, new_columns) = old, new
    count = len(old_columns)

    def gain(*columns: np.ndarray, axis: int = -1) -> np.ndarray:
        return of_new(*columns[count:], axis=axis) - of_old(*columns[:count], axis=axis)

    interval = bootstrap_interval(gain, (*old_columns, *new_columns))
    return PairedDifference(
        metric, len(old_columns[0]), float(of_old(*old_columns)), float(of_new(*new_columns)), interval
    )
