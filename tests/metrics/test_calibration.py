"""Bins of probabilities, and the expected calibration error."""

import numpy as np
import pytest

from modelyard.metrics.calibration import BINS, calibration_bins, expected_calibration_error

HAPPENED = np.array([True, False, False, False, True])
PROBABILITY = np.array([0.9, 0.95, 0.12, 0.18, 1.0])


def test_a_probability_of_1_is_in_the_last_bin_and_an_empty_bin_has_no_share() -> None:
    bins = calibration_bins(HAPPENED, PROBABILITY)
    assert bins.counts.tolist() == [0, 2, 0, 0, 0, 0, 0, 0, 0, 3]
    assert (bins.shares[1], bins.shares[9]) == (0, pytest.approx(2 / 3))
    assert (bins.means[1], bins.means[9]) == (pytest.approx(0.15), pytest.approx(0.95))
    assert np.isnan(bins.shares).sum() == np.isnan(bins.means).sum() == BINS - 2


def test_each_bin_counts_by_its_samples_in_the_error() -> None:
    expected = (3 * abs(2 / 3 - 0.95) + 2 * abs(0 - 0.15)) / 5
    assert expected_calibration_error(HAPPENED, PROBABILITY) == pytest.approx(expected)
