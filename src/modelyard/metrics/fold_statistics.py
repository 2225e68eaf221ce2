"""The mean of a metric over folds, with an interval that allows for folds sharing their training samples."""

from typing import NamedTuple

import numpy as np

from modelyard.metrics.bootstrap import CONFIDENCE


class FoldStatistics(NamedTuple):
    """Mean and standard deviation of a metric, and the confidence interval of the mean at the level CONFIDENCE."""

    mean: float
    sd: float
    low: float
    high: float


def fold_statistics(values: np.ndarray, test_ratio: float) -> FoldStatistics:
    """Compute the statistics of one value per fold, over all repeats.

    The fits share training samples, so their values are correlated, and the variance of the mean is not the usual
    variance / n (see `variance_factor`).

    Args:
        values: shape (n,), at least two.
        test_ratio: the number of samples that a fit is measured on, divided by the number that it is trained on.
    """
    from scipy.stats import t

    count, mean, sd = len(values), float(np.mean(values)), float(np.std(values, ddof=1))
    half = float(t.ppf((1 + CONFIDENCE) / 2, count - 1)) * sd * np.sqrt(variance_factor(count, test_ratio))
    return FoldStatistics(mean, sd, float(mean - half), float(mean + half))


def variance_factor(count: int, test_ratio: float) -> float:
    """By how much smaller the variance of the mean of `count` values is than their variance: 1 / n + test_ratio.

    Source: the corrected resampled t test of Nadeau and Bengio, Inference for the Generalization Error, Machine
    Learning 52 (2003); for repeated k-fold Bouckaert and Frank, Evaluating the Replicability of Significance Tests for
    Comparing Learning Algorithms (2004).
    """
    return 1 / count + test_ratio
