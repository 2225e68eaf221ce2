"""Comparisons of a candidate with the champion on the same test samples: counted, and each at a level of its own.

Whoever compares often enough on the same samples finds a model that is better by chance. The k-th comparison gets
ALPHA / (k * (k + 1)) of the error: summed over any number of comparisons, that is at most ALPHA, whenever one stops
(alpha spending; the first gets half, as the 95 % interval of a single comparison has).
"""

from dataclasses import dataclass

from modelyard.metrics.bootstrap import Interval, PairedDifference

ALPHA = 0.05  # the probability that any of all promotions on the same test samples is wrong


@dataclass(frozen=True)
class Comparison:
    """A paired difference on test samples.

    Attributes:
        difference: how much better the candidate is.
        number: how many comparisons the test samples have seen with this one.
        against: the version of the champion.
    """

    difference: PairedDifference
    number: int = 1
    against: str = ""

    @property
    def level(self) -> float:
        """The probability that this comparison alone calls a model better that is not."""
        return ALPHA / (self.number * (self.number + 1))

    @property
    def confidence(self) -> float:
        """That of the two-sided interval, in percent."""
        return 100 * (1 - 2 * self.level)

    @property
    def interval(self) -> Interval:
        """The bootstrap interval of the gain, widened to the level of this comparison.

        By the quantiles of a normal distribution: 1,000 resamples have none that are so far out.
        """
        from scipy.stats import norm

        gain, (low, high) = self.difference.gain, self.difference.interval
        factor = float(norm.isf(self.level) / norm.isf(ALPHA / 2))
        return Interval(gain - factor * (gain - low), gain + factor * (high - gain))

    @property
    def is_significant(self) -> bool:
        """Whether the candidate is significantly better; one sample never shows it."""
        return self.difference.samples > 1 and self.interval.low > 0

    def __str__(self) -> str:
        values = self.difference
        low, high = self.interval
        is_worse = values.samples > 1 and high < 0
        words = "significantly better" if self.is_significant else "significantly worse" if is_worse else None
        return (
            f"{values.metric} {values.new:.4g} against {values.old:.4g} on the same {values.samples} test samples: "
            f"{values.gain:+.4g}, {self.confidence:.4g} % interval {low:+.4g} to {high:+.4g}: "
            f"{words or 'no significant difference'} ({self.confidence:.4g} % paired bootstrap{self._count})."
        )

    @property
    def _count(self) -> str:
        return f"; comparison {self.number} on these test samples" if self.number > 1 else ""
