"""How much a metric varies between seeds, and between splits."""

from typing import NamedTuple

import numpy as np

from modelyard.metrics.bootstrap import CONFIDENCE
from modelyard.metrics.fold_statistics import fold_statistics
from modelyard.replication.paired_tests import standard_error


class SeedStatistics(NamedTuple):
    """Mean, standard deviation, and t confidence interval of the mean at level CONFIDENCE.

    A single value has neither standard deviation nor interval: they are None.
    """

    mean: float
    sd: float | None
    low: float | None
    high: float | None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Both ends of the confidence interval."""
        return None if self.low is None or self.high is None else (self.low, self.high)

    @property
    def text(self) -> str:
        """The mean as a signed difference, with its interval, for example "+0.03 (+0.01 to +0.05)"."""
        return f"{self.mean:+.3g}" + (" ({:+.3g} to {:+.3g})".format(*self.interval) if self.interval else "")


def seed_statistics(values: np.ndarray, test_ratio: float = 0.0, sample_variance: float = 0.0) -> SeedStatistics:
    """The statistics of one value per seed.

    Args:
        values: shape (seeds,), at least one; the interval of equal values has no width.
        test_ratio: where each seed draws its own split, the number of samples that it is measured on, divided by the
            number that it is trained on; with 0, the interval is that of scipy.stats.ttest_1samp.
        sample_variance: the variance of the mean when the test samples are drawn again; see `paired_tests`.
    """
    from scipy.stats import t

    mean = float(np.mean(values))
    if len(values) < 2:
        return SeedStatistics(mean, None, None, None)
    if sample_variance:
        error, freedom = standard_error(values, sample_variance)
        half = float(t.ppf((1 + CONFIDENCE) / 2, freedom) * error)
        return SeedStatistics(mean, float(np.std(values, ddof=1)), mean - half, mean + half)
    if np.ptp(values) == 0:
        return SeedStatistics(mean, 0.0, mean, mean)
    return SeedStatistics(*fold_statistics(values, test_ratio))
