"""How a figure varies from seed to seed."""

from typing import NamedTuple

import numpy as np

from modelyard.metrics.bootstrap import CONFIDENCE


class SeedStatistics(NamedTuple):
    """Mean and standard deviation of some values, and the t interval of the mean at the level CONFIDENCE.

    One value alone has no standard deviation and no interval: they are None.
    """

    mean: float
    sd: float | None
    low: float | None
    high: float | None

    @property
    def text(self) -> str:
        """The mean as a difference, with its sign, and its interval."""
        return f"{self.mean:+.3g}" + ("" if self.low is None else f" ({self.low:+.3g} to {self.high:+.3g})")


def seed_statistics(values: np.ndarray) -> SeedStatistics:
    """The spread of values (n,). Source of the interval: scipy.stats.ttest_1samp; of equal values it has no width."""
    from scipy.stats import ttest_1samp

    mean = float(np.mean(values))
    if len(values) < 2:
        return SeedStatistics(mean, None, None, None)
    if np.ptp(values) == 0:
        return SeedStatistics(mean, 0.0, mean, mean)
    found = ttest_1samp(values, 0).confidence_interval(CONFIDENCE)
    return SeedStatistics(mean, float(np.std(values, ddof=1)), float(found.low), float(found.high))
