"""Comparisons of a candidate with the champion on the same test samples: counted, and each at a level of its own.

Whoever compares often enough on the same samples finds a model that is better by chance. The k-th comparison gets
ALPHA / (k * (k + 1)) of the error: summed over any number of comparisons, that is at most ALPHA, whenever one stops
(alpha spending; the first gets half, as the 95 % interval of a single comparison has). That holds for candidates that
were not chosen by the same test samples beforehand.

Accuracies are compared by McNemar's exact test, which keeps its level also where few predictions differ; other metrics
by the interval of a paired bootstrap.
"""

from dataclasses import dataclass

import numpy as np

from modelyard.metrics.bootstrap import Interval, PairedDifference
from modelyard.metrics.definitions import BoundMetric, accuracy

ALPHA = 0.05  # the probability that any of all promotions on the same test samples is wrong


@dataclass(frozen=True)
class Comparison:
    """A paired difference on test samples.

    Attributes:
        difference: how much better the candidate is.
        number: how many comparisons the test samples have seen with this one.
        against: the version of the champion.
        discordant: of an accuracy, how many samples the candidate alone and the champion alone predict correctly.
    """

    difference: PairedDifference
    number: int = 1
    against: str = ""
    discordant: tuple[int, int] | None = None

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
        if self.discordant:
            return mcnemar_p_value(*self.discordant) < self.level
        return self.difference.samples > 1 and self.interval.low > 0

    @property
    def is_worse(self) -> bool:
        """Whether the candidate is significantly worse."""
        if self.discordant:
            better, worse = self.discordant
            return mcnemar_p_value(worse, better) < self.level
        return self.difference.samples > 1 and self.interval.high < 0

    def __str__(self) -> str:
        values = self.difference
        low, high = self.interval
        words = "significantly better" if self.is_significant else "significantly worse" if self.is_worse else None
        return (
            f"{values.metric} {values.new:.4g} against {values.old:.4g} on the same {values.samples} test samples: "
            f"{values.gain:+.4g}, {self.confidence:.4g} % interval {low:+.4g} to {high:+.4g}: "
            f"{words or 'no significant difference'} ({self._test}{self._count})."
        )

    @property
    def _test(self) -> str:
        if not self.discordant:
            return f"{self.confidence:.4g} % paired bootstrap"
        better, worse = self.discordant
        p_value = mcnemar_p_value(max(better, worse), min(better, worse))
        return f"McNemar's exact test, one-sided p {p_value:.2g}, level {self.level:.2g}"

    @property
    def _count(self) -> str:
        return f"; comparison {self.number} on these test samples" if self.number > 1 else ""


def discordant_samples(old: BoundMetric, new: BoundMetric) -> tuple[int, int] | None:
    """How many samples the new model alone and the old one alone predict correctly; None but for accuracies."""
    if new.formula is not accuracy:
        return None
    was_right, is_right = (np.equal(*metric.arrays) for metric in (old, new))
    return int(np.sum(is_right & ~was_right)), int(np.sum(was_right & ~is_right))


def mcnemar_p_value(better: int, worse: int) -> float:
    """The one-sided p value of "better" by the samples that only one of two models predicts correctly.

    Source: McNemar, Note on the Sampling Error of the Difference Between Correlated Proportions (1947), with the exact
    binomial distribution.
    """
    from scipy.stats import binomtest

    return float(binomtest(better, better + worse, alternative="greater").pvalue) if better + worse else 1.0
