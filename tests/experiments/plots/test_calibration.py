"""The reliability diagram: points are shares of bins, as scikit-learn computes them, with the number of samples."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.calibration import calibration_curve

from modelyard.experiments import plots


def test_points_are_those_of_scikit_learn_and_bars_count_all_samples() -> None:
    random = np.random.default_rng(0)
    probability = np.append(random.random(300) ** 2, [0.0, 1.0])
    happened = random.random(302) < probability
    figure = plots.calibration(happened, probability, "class yes", "class yes")
    upper, lower = figure.axes
    points = next(line for line in upper.lines if line.get_marker() == "o")
    share, mean = calibration_curve(happened, probability, n_bins=10)
    np.testing.assert_allclose(points.get_xdata(), mean)
    np.testing.assert_allclose(points.get_ydata(), share)
    bars = next(container for container in upper.containers if container.has_yerr).lines[2][0].get_segments()
    number = np.minimum((probability * 10).astype(int), 9)
    for (_, low), (_, high), which in zip(*np.swapaxes(bars, 0, 1), np.unique(number), strict=True):
        members = happened[number == which]
        expected = binomtest(int(members.sum()), len(members)).proportion_ci(0.95, method="wilson")
        assert (low, high) == pytest.approx((expected.low, expected.high))
    assert sum(bar.get_height() for bar in lower.patches) == 302
    assert (upper.get_ylabel(), lower.get_xlabel()) == ("share of class yes", "probability of class yes")


def test_one_sample_can_be_plotted() -> None:
    figure = plots.calibration(np.array([True]), np.array([0.5], np.float32), "class yes", "class yes")
    assert len(figure.axes) == 2
