"""Calibration: whether a class comes as often as its probabilities say."""

from typing import NamedTuple

import numpy as np

BINS = 10


class CalibrationBins(NamedTuple):
    """Samples in bins of equal width of the probability of a class; a share or a mean of no samples is NaN.

    Attributes:
        counts: the number of samples of each bin (BINS,).
        shares: the share of them for which the class came true (BINS,).
        means: the mean of their probabilities (BINS,).
    """

    counts: np.ndarray
    shares: np.ndarray
    means: np.ndarray


def calibration_bins(happened: np.ndarray, probability: np.ndarray) -> CalibrationBins:
    """Divide samples by the probability of a class.

    Args:
        happened: whether the class is the true one (n,).
        probability: its probability (n,).
    """
    number = np.minimum((probability * BINS).astype(int), BINS - 1)
    counts = np.bincount(number, minlength=BINS)
    sums = [np.bincount(number, weights=values, minlength=BINS) for values in (happened, probability)]
    shares, means = (np.divide(values, counts, out=np.full(BINS, np.nan), where=counts > 0) for values in sums)
    return CalibrationBins(counts, shares, means)


def expected_calibration_error(happened: np.ndarray, probability: np.ndarray) -> float:
    """The mean distance of the share of samples for which a class came true from the mean of its probabilities.

    Both are taken in bins, and each bin counts by its samples. Naeini, Cooper and Hauskrecht, Obtaining Well Calibrated
    Probabilities Using Bayesian Binning, AAAI 2015.

    Args:
        happened: whether the class is the true one (n,).
        probability: its probability (n,).
    """
    bins = calibration_bins(happened, probability)
    return float(np.nansum(bins.counts * np.abs(bins.shares - bins.means)) / len(probability))
