"""A bootstrap interval covers the truth about as often as it says."""

import numpy as np
import pytest
import scipy.stats

from modelyard import metrics
from modelyard.metrics import bootstrap
from modelyard.metrics.bootstrap import Interval, bootstrap_interval

RANDOM_SEED = 12345
SAID = 0.95  # what reports and pages say of every interval


def _guesses(random: np.random.Generator, count: int, right: float) -> tuple[np.ndarray, np.ndarray]:
    """Truth and prediction (n,) of a classifier that is right with this probability."""
    truth = random.integers(0, 2, count)
    return truth, np.where(random.random(count) < right, truth, 1 - truth)


def _noisy(random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Truth and prediction (n,) with a mean squared error of 4."""
    truth = random.normal(size=count)
    return truth, truth + random.normal(scale=2, size=count)


@pytest.mark.parametrize(
    ("metric", "sample", "true_figure"),
    [
        (metrics.accuracy, lambda random: _guesses(random, 150, 0.8), 0.8),
        (metrics.mean_squared_error, lambda random: _noisy(random, 150), 4.0),
    ],
    ids=["accuracy", "mse"],
)
def test_an_interval_covers_the_truth_about_as_often_as_it_says(metric, sample, true_figure: float):
    random = np.random.default_rng(RANDOM_SEED)
    repeats = 200
    intervals = [bootstrap_interval(metric, sample(random), seed) for seed in range(repeats)]
    covered = np.mean([interval.low <= true_figure <= interval.high for interval in intervals])
    # three standard deviations of a share of 200; percentile intervals of skewed figures are a little short
    assert covered == pytest.approx(SAID, abs=3 * np.sqrt(SAID * (1 - SAID) / repeats))


@pytest.mark.parametrize("right", [0.5, 0.9, 0.97])
def test_an_interval_of_an_accuracy_is_close_to_that_of_a_proportion(right: float):
    truth, prediction = _guesses(np.random.default_rng(1), 1000, right)
    found = bootstrap_interval(metrics.accuracy, (truth, prediction))
    exact = scipy.stats.binomtest(int((truth == prediction).sum()), 1000).proportion_ci(SAID, method="wilson")
    assert found == pytest.approx((exact.low, exact.high), abs=0.006)


def test_an_interval_holds_the_figure_and_narrows_with_more_rows():
    random = np.random.default_rng(2)
    widths = []
    for count in (50, 800):
        columns = _noisy(random, count)
        low, high = bootstrap_interval(metrics.mean_absolute_error, columns)
        assert low < metrics.mean_absolute_error(*columns) < high
        widths.append(high - low)
    assert widths[1] == pytest.approx(widths[0] / 4, rel=0.5)


def test_the_same_rows_have_the_same_interval_and_another_seed_has_another():
    columns = _noisy(np.random.default_rng(3), 60)
    first = bootstrap_interval(metrics.mean_squared_error, columns)
    np.random.seed(0)
    assert bootstrap_interval(metrics.mean_squared_error, columns) == first
    assert bootstrap_interval(metrics.mean_squared_error, columns, seed=1) != first


def test_the_size_of_a_batch_bounds_memory_and_changes_nothing(monkeypatch: pytest.MonkeyPatch):
    columns = _noisy(np.random.default_rng(4), 60)
    in_batches = bootstrap_interval(metrics.correlation, columns)
    monkeypatch.setattr(bootstrap, "BATCH", bootstrap.RESAMPLES)
    assert bootstrap_interval(metrics.correlation, columns) == pytest.approx(in_batches, rel=1e-12)


def test_columns_are_resampled_together():
    truth = np.arange(50.0)
    assert bootstrap_interval(metrics.mean_absolute_error, (truth, truth + 3)) == pytest.approx((3.0, 3.0))


@pytest.mark.parametrize("task", metrics.METRICS)
def test_every_metric_of_a_task_has_an_interval(task: str):
    random = np.random.default_rng(5)
    truth, predictions = random.integers(0, 4, 40), random.dirichlet(np.ones(4), 40)
    columns = {
        "classification": lambda: metrics.columns(task, truth, predictions),
        "regression": lambda: metrics.columns(task, truth, predictions[:, 0]),
        "reconstruction": lambda: metrics.reconstruction_columns(
            predictions, np.eye(4)[truth], predictions.mean(axis=0)
        ),
    }[task]()
    for metric, needed in metrics.bound_metrics(task, columns).values():
        low, high = bootstrap_interval(metric, needed)
        assert low < high


def test_one_row_has_no_spread():
    columns = (np.array([3.0]), np.array([5.0]))
    assert bootstrap_interval(metrics.mean_squared_error, columns) == Interval(4.0, 4.0)
