"""Bootstrap intervals cover the truth as often as stated, and paired differences find the better model."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from modelyard import metrics
from modelyard.metrics import BoundMetric, bootstrap, bound_detection_metrics, detection, headline_metric
from modelyard.metrics.bootstrap import (
    FEW,
    Interval,
    PairedDifference,
    bootstrap_interval,
    confidence_interval,
    distances_from_best,
    paired_difference,
    variance_over_samples,
)

RANDOM_SEED = 12345
STATED = 0.95  # the level that reports name


def _guesses(random: np.random.Generator, count: int, right: float) -> tuple[np.ndarray, np.ndarray]:
    """Truth and prediction (n,) of a classifier that is right with this probability."""
    truth = random.integers(0, 2, count)
    return truth, np.where(random.random(count) < right, truth, 1 - truth)


def _noisy(random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Truth and prediction (n,) with a mean squared error of 4."""
    truth = random.normal(size=count)
    return truth, truth + random.normal(scale=2, size=count)


@pytest.mark.parametrize(
    ("metric", "sample", "true_value"),
    [
        (metrics.accuracy, lambda random: _guesses(random, 150, 0.8), 0.8),
        (metrics.mean_squared_error, lambda random: _noisy(random, 150), 4.0),
    ],
    ids=["accuracy", "mse"],
)
def test_an_interval_covers_the_truth_about_as_often_as_stated(metric, sample, true_value: float):
    random = np.random.default_rng(RANDOM_SEED)
    repeats = 200
    intervals = [bootstrap_interval(metric, sample(random), seed) for seed in range(repeats)]
    covered = np.mean([interval.low <= true_value <= interval.high for interval in intervals])
    # three standard deviations of a share of 200; percentile intervals of skewed metrics are a little short
    assert covered == pytest.approx(STATED, abs=3 * np.sqrt(STATED * (1 - STATED) / repeats))


@pytest.mark.parametrize("right", [0.5, 0.9, 0.97])
def test_an_interval_of_an_accuracy_is_close_to_that_of_a_proportion(right: float):
    truth, prediction = _guesses(np.random.default_rng(1), 1000, right)
    found = bootstrap_interval(metrics.accuracy, (truth, prediction))
    exact = scipy.stats.binomtest(int((truth == prediction).sum()), 1000).proportion_ci(STATED, method="wilson")
    assert found == pytest.approx((exact.low, exact.high), abs=0.006)


def test_an_interval_contains_the_value_and_narrows_with_more_samples():
    random = np.random.default_rng(2)
    widths = []
    for count in (50, 800):
        columns = _noisy(random, count)
        low, high = bootstrap_interval(metrics.mean_absolute_error, columns)
        assert low < metrics.mean_absolute_error(*columns) < high
        widths.append(high - low)
    assert widths[1] == pytest.approx(widths[0] / 4, rel=0.5)


def test_the_interval_depends_on_samples_and_seed_only():
    columns = _noisy(np.random.default_rng(3), 60)
    first = bootstrap_interval(metrics.mean_squared_error, columns)
    np.random.seed(0)
    assert bootstrap_interval(metrics.mean_squared_error, columns) == first
    assert bootstrap_interval(metrics.mean_squared_error, columns, seed=1) != first


def test_the_batch_size_changes_no_interval(monkeypatch: pytest.MonkeyPatch):
    columns = _noisy(np.random.default_rng(4), 60)
    in_batches = bootstrap_interval(metrics.correlation, columns)
    monkeypatch.setattr(bootstrap, "BATCH", bootstrap.RESAMPLES)
    assert bootstrap_interval(metrics.correlation, columns) == pytest.approx(in_batches, rel=1e-12)


def test_columns_are_resampled_together():
    truth = np.arange(50.0)
    assert bootstrap_interval(metrics.mean_absolute_error, (truth, truth + 3)) == pytest.approx((3.0, 3.0))


@pytest.mark.parametrize("task", ["classification", "regression", "reconstruction"])
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


def test_the_interval_of_one_sample_is_its_value():
    columns = (np.array([3.0]), np.array([5.0]))
    assert bootstrap_interval(metrics.mean_squared_error, columns) == Interval(4.0, 4.0)


# --- the interval that is shown ---


@pytest.mark.parametrize("right", [0, 1, 45, 49, 50])
def test_the_interval_of_an_accuracy_is_wilsons(right: int):
    truth = np.zeros(50, int)
    found = confidence_interval(BoundMetric(metrics.accuracy, (truth, (np.arange(50) >= right).astype(int))))
    exact = scipy.stats.binomtest(right, 50).proportion_ci(STATED, method="wilson")
    assert found.method == "Wilson"
    assert found.interval == pytest.approx((exact.low, exact.high))


@pytest.mark.parametrize("metric", [metrics.macro_f1, metrics.balanced_accuracy])
def test_a_mean_over_classes_without_a_wrong_prediction_has_an_interval_with_a_width(metric):
    truth = np.arange(60) % 3
    perfect, wrong = (
        confidence_interval(BoundMetric(metric, (truth, prediction)))
        for prediction in (truth, np.where(truth == 2, 0, truth))
    )
    assert (perfect.method, perfect.interval.high) == ("Wilson", pytest.approx(1.0))
    assert 0.9 < perfect.interval.low < 0.97
    assert wrong.method == "BCa bootstrap"


@pytest.mark.parametrize("count", [FEW, FEW + 1])
def test_bias_and_skewness_are_corrected_where_samples_are_few(count: int):
    losses = np.random.default_rng(8).lognormal(sigma=2, size=count)
    found = confidence_interval(BoundMetric(metrics.definitions.mean, (losses,)))
    method = "BCa" if count == FEW else "percentile"
    expected = scipy.stats.bootstrap(
        (losses,), np.mean, n_resamples=1000, batch=50, method=method, rng=np.random.default_rng(0), vectorized=True
    ).confidence_interval
    assert found.method == f"{method} bootstrap"
    assert found.interval == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("values", [[3.0], [2.0, 2.0, 2.0]])
def test_without_spread_the_interval_is_the_value(values: list[float]):
    found = confidence_interval(BoundMetric(metrics.definitions.mean, (np.array(values),)))
    assert found.interval == pytest.approx((values[0], values[0]))


def test_the_variance_over_samples_is_that_of_a_mean_of_all_pairs():
    random = np.random.default_rng(9)
    shared = random.normal(size=400)  # a sample is easier or harder in the runs of all seeds
    pairs = [
        tuple(BoundMetric(metrics.definitions.mean, (shift * shared + random.normal(size=400),)) for shift in (2, 1))
        for _ in range(5)
    ]
    differences = np.mean([first.arrays[0] - second.arrays[0] for first, second in pairs], axis=0)
    assert variance_over_samples(pairs) == pytest.approx(differences.var() / 400, rel=0.15)


# --- the best of several models ---


def models_with(shares: list[float], samples: int, seed: int) -> list[BoundMetric]:
    """Accuracies of models that are right about these shares of the same samples, some of which are hard for all."""
    random = np.random.default_rng(seed)
    hard = random.normal(size=samples)
    own = random.normal(size=(len(shares), samples))
    right = (hard + own) / np.sqrt(2) < scipy.stats.norm.ppf(shares)[:, np.newaxis]
    return [accuracy(np.ones(samples, int), each.astype(int)) for each in right]


def test_the_distance_of_the_best_is_zero_and_a_clear_distance_is_found():
    models = models_with([0.9, 0.7, 0.89], 1000, seed=1)
    best, clear, close = distances_from_best(models)
    assert (best.value, best.interval) == (0, (0, 0))
    assert clear.value == pytest.approx(models[0].value - models[1].value)
    assert 0 < clear.interval.low < clear.value < clear.interval.high
    assert close.interval.low <= 0


def test_the_truly_best_of_many_equal_models_is_hardly_ever_told_from_the_best():
    """The last of eight, better by next to nothing, is truly the best; in at most 5 % another seems to be."""
    wrong = [distances_from_best(models_with([0.8] * 7 + [0.8001], 200, n))[-1].interval.low > 0 for n in range(120)]
    assert sum(wrong) <= 12  # three standard errors more than 5 % of 120


def test_of_many_equal_models_none_is_told_from_the_best():
    """The one with the highest value is the best by luck alone; in at most 5 % another is held to be worse."""
    wrong = [
        any(each.interval.low > 0 for each in distances_from_best(models_with([0.8] * 12, 200, n))) for n in range(120)
    ]
    assert sum(wrong) <= 12  # three standard errors more than 5 % of 120


def test_more_models_need_more_evidence():
    two, many = (distances_from_best(models_with([0.85, 0.8] + [0.5] * more, 400, seed=3))[1] for more in (0, 10))
    assert two.value == many.value
    assert many.interval.low < two.interval.low < two.interval.high < many.interval.high


@pytest.mark.parametrize("count", [2, 3, 8])
def test_the_critical_value_of_independent_models_is_tukeys(count: int):
    """The studentized range counts a difference in standard errors of one mean, here of a difference: sqrt(2)."""
    drawn = np.random.default_rng(0).normal(size=(count, 50_000))
    expected = scipy.stats.studentized_range.ppf(STATED, count, np.inf) / np.sqrt(2)
    assert bootstrap._critical_value(np.zeros(count), drawn) == pytest.approx(expected, rel=0.01)


def test_equal_predictions_are_no_distance_apart():
    same = right(0.8, samples=50, seed=1)
    assert [distance.interval for distance in distances_from_best([same, same])] == [(0, 0), (0, 0)]


def test_of_one_sample_no_model_is_known_to_be_worse():
    one, other = accuracy(np.zeros(1), np.zeros(1)), accuracy(np.zeros(1), np.ones(1))
    assert [distance.interval.low for distance in distances_from_best([one, other])] == [0, 0]


# --- paired differences ---


def accuracy(truth: np.ndarray, prediction: np.ndarray) -> BoundMetric:
    return BoundMetric(metrics.accuracy, (truth, prediction))


def right(share: float, samples: int, seed: int) -> BoundMetric:
    """The accuracy of a model that is right about this share of its samples, at random."""
    truth = np.zeros(samples, dtype=int)
    return accuracy(truth, (np.random.default_rng(seed).random(samples) > share).astype(int))


def is_better(difference: PairedDifference) -> bool:
    """Whether the new model is better, by the whole interval."""
    return difference.interval.low > 0


answers = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=30)


@given(answers)
def test_swapping_the_models_negates_the_difference(pairs: list[tuple[bool, bool]]) -> None:
    one, other = (accuracy(np.ones(len(pairs)), np.array(column)) for column in zip(*pairs, strict=True))
    there, back = paired_difference("accuracy", one, other), paired_difference("accuracy", other, one)
    assert there.gain == pytest.approx(-back.gain)
    assert there.interval == pytest.approx((-back.interval.high, -back.interval.low))
    assert not (is_better(there) and is_better(back))


def test_a_model_gains_nothing_over_itself() -> None:
    same = right(0.8, samples=500, seed=1)
    found = paired_difference("accuracy", same, same)
    assert (found.gain, found.interval) == (0, (0, 0))
    assert not is_better(found)


def test_equal_models_are_rarely_significantly_different() -> None:
    """At 95 % one comparison in forty is a false positive in this direction."""
    trials = [
        is_better(paired_difference("accuracy", right(0.8, 200, 2 * n), right(0.8, 200, 2 * n + 1))) for n in range(120)
    ]
    assert sum(trials) <= 8


def test_a_large_gain_is_significant() -> None:
    assert is_better(paired_difference("accuracy", right(0.5, 400, 1), right(0.9, 400, 2)))


def test_a_paired_comparison_finds_what_two_separate_intervals_hide() -> None:
    """Both are wrong about the same samples, except for eight where only the old one is."""
    truth = np.zeros(1000, dtype=int)
    new = (np.arange(1000) < 200).astype(int)
    old = (np.arange(1000) < 208).astype(int)
    of_old, of_new = (bootstrap_interval(*accuracy(truth, each)) for each in (old, new))
    assert of_old.high > of_new.low
    found = paired_difference("accuracy", accuracy(truth, old), accuracy(truth, new))
    assert found.gain == pytest.approx(0.008)
    assert is_better(found)


def classification(right: bool) -> dict[str, BoundMetric]:
    truth = np.arange(60) % 3
    columns = metrics.columns("classification", truth, np.eye(3)[truth if right else (truth + 1) % 3])
    return metrics.bound_metrics("classification", columns)


def regression(right: bool) -> dict[str, BoundMetric]:
    truth = np.linspace(0, 1, 60)
    noise = 0.0 if right else np.random.default_rng(0).normal(size=60)
    return metrics.bound_metrics("regression", metrics.columns("regression", truth, truth + noise))


def reconstruction(right: bool) -> dict[str, BoundMetric]:
    truth = np.random.default_rng(0).random((60, 4))
    restored = truth if right else np.full_like(truth, 0.9)
    columns = metrics.reconstruction_columns(truth, restored, truth.mean(axis=0, keepdims=True))
    return metrics.bound_metrics("reconstruction", columns)


def detected(right: bool) -> dict[str, BoundMetric]:
    """Sixty images with one box each, found or overlooked."""
    truth = np.zeros((60, 1, 5))
    truth[:, 0] = [0, 1, 1, 5, 5]
    images = np.arange(60 if right else 0)
    found = detection.Boxes(images, np.zeros(len(images), int), truth[images, 0, 1:], np.ones(len(images)))
    return bound_detection_metrics(truth, found)


@pytest.mark.parametrize(
    ("task", "bind"),
    [
        ("classification", classification),
        ("regression", regression),
        ("reconstruction", reconstruction),
        ("detection", detected),
    ],
)
def test_higher_is_better_for_the_headline_metric_of_each_task(task: str, bind) -> None:
    metric = headline_metric(task)
    assert is_better(paired_difference(metric, bind(right=False)[metric], bind(right=True)[metric]))
    assert not is_better(paired_difference(metric, bind(right=True)[metric], bind(right=False)[metric]))
