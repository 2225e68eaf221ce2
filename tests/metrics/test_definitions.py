"""Every metric agrees with scikit-learn or SciPy, also along an axis; and what is known of each is consistent."""

from typing import get_args

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from modelyard import metrics
from modelyard.data.samples import Task
from modelyard.metrics import METRICS, Metric

SEEDS = st.integers(0, 10_000)


def values_of(task: str, truth: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    return metrics.values(metrics.bound_metrics(task, metrics.columns(task, truth, predictions)))


def _classified(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Class numbers (n,) and probabilities (n, 5): few samples, so that classes are often missing from either."""
    random = np.random.default_rng(seed)
    count = int(random.integers(1, 40))
    return random.integers(0, 5, count), random.dirichlet(np.full(5, 0.3), count)


def _measured(seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = random.normal(loc=20, scale=9, size=int(random.integers(2, 40)))
    return truth, truth + random.normal(scale=5, size=len(truth))


@given(SEEDS)
def test_classification_metrics_equal_those_of_scikit_learn(seed: int):
    truth, probabilities = _classified(seed)
    found = values_of("classification", truth, probabilities)
    prediction = probabilities.argmax(axis=1)
    clipped = np.clip(probabilities[np.arange(len(truth)), truth], 1e-7, 1 - 1e-7)
    assert found["accuracy"] == pytest.approx(sklearn.metrics.accuracy_score(truth, prediction))
    assert found["macro_f1"] == pytest.approx(sklearn.metrics.f1_score(truth, prediction, average="macro"))
    assert found["loss"] == pytest.approx(-np.log(clipped).mean())


@given(SEEDS)
def test_balanced_accuracy_equals_that_of_scikit_learn(seed: int):
    truth, probabilities = _classified(seed)
    present = np.unique(truth)  # scikit-learn warns of predicted classes that are not true ones
    recalls = sklearn.metrics.recall_score(truth, probabilities.argmax(axis=1), labels=present, average="macro")
    assert values_of("classification", truth, probabilities)["balanced_accuracy"] == pytest.approx(recalls)


TWO_CLASSES = {"roc_auc", "average_precision", "log_loss", "brier_score"}


@given(SEEDS, st.integers(1, 30), st.sampled_from([np.float32, np.float64]))
def test_metrics_of_two_classes_equal_those_of_scikit_learn(seed: int, levels: int, dtype: type):
    """With few levels many probabilities are equal, and one class is often missing."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, 2, int(random.integers(1, 30)))
    positive = (random.integers(0, levels + 1, len(truth)) / levels).astype(dtype)
    found = values_of("classification", truth, np.stack([1 - positive, positive], axis=1))
    both = len(np.unique(truth)) == 2
    assert found["roc_auc"] == pytest.approx(sklearn.metrics.roc_auc_score(truth, positive) if both else 0.5)
    precision = sklearn.metrics.average_precision_score(truth, positive) if truth.any() else 0.0
    assert found["average_precision"] == pytest.approx(precision)
    assert found["brier_score"] == pytest.approx(np.mean((truth - positive.astype(float)) ** 2))
    clipped = np.clip(positive.astype(float), 1e-7, 1 - 1e-7)
    assert found["log_loss"] == pytest.approx(sklearn.metrics.log_loss(truth, clipped, labels=[0, 1]), rel=1e-5)


def test_metrics_of_two_classes_are_of_two_classes_only():
    assert {metric.name for metric in METRICS["classification"] if metric.of_two_classes} == TWO_CLASSES
    assert not TWO_CLASSES & values_of("classification", np.array([0, 2]), np.eye(3)[:2]).keys()
    assert TWO_CLASSES < set(metrics.metric_names("classification")) == set(metrics.metric_names("classification", 2))
    assert not TWO_CLASSES & set(metrics.metric_names("classification", 3))
    assert metrics.shown_metrics("classification", ["brier_score", "log_loss", "roc_auc"])[3:] == (
        "roc_auc",
        "brier_score",
    )


def test_another_prediction_than_the_likeliest_class_has_its_own_probability():
    found = metrics.classification_columns(np.array([1, 0]), np.array([[0.6, 0.4], [0.9, 0.1]]), np.array([1, 0]))
    assert found["prediction"].tolist() == [1, 0]
    assert found["probability"].tolist() == [0.4, 0.9]
    assert found["positive"].tolist() == [0.4, 0.1]


def test_the_loss_of_a_classification_is_scikit_learns_log_loss():
    random = np.random.default_rng(0)
    truth, probabilities = random.integers(0, 3, 50), random.dirichlet([2, 2, 2], 50)
    found = values_of("classification", truth, probabilities)
    assert found["loss"] == pytest.approx(sklearn.metrics.log_loss(truth, probabilities, labels=[0, 1, 2]))


@pytest.mark.parametrize(("probability", "cost"), [(0.0, -np.log(1e-7)), (1.0, 1e-7), (0.5, np.log(2))])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cross_entropy_is_clipped_as_in_keras(probability: float, cost: float, dtype: type):
    assert metrics.cross_entropy(np.array([probability], dtype))[0] == pytest.approx(cost, rel=1e-6)


@given(SEEDS)
def test_regression_metrics_equal_those_of_scikit_learn_and_scipy(seed: int):
    truth, prediction = _measured(seed)
    found = values_of("regression", truth, prediction)
    assert found["mae"] == pytest.approx(sklearn.metrics.mean_absolute_error(truth, prediction))
    assert found["mse"] == found["loss"] == pytest.approx(sklearn.metrics.mean_squared_error(truth, prediction))
    assert found["r2"] == pytest.approx(sklearn.metrics.r2_score(truth, prediction))
    assert found["correlation"] == pytest.approx(scipy.stats.pearsonr(truth, prediction).statistic)


@given(SEEDS)
def test_class_metrics_equal_those_of_scikit_learn(seed: int):
    truth, probabilities = _classified(seed)
    prediction = probabilities.argmax(axis=1)
    expected = sklearn.metrics.precision_recall_fscore_support(truth, prediction, labels=range(5), zero_division=0)
    for which, (precision, recall, f1, rows) in enumerate(zip(*expected, strict=True)):
        found = metrics.class_metrics(truth, prediction, which)
        assert found == pytest.approx({"rows": rows, "precision": precision, "recall": recall, "f1": f1})
        assert np.nan_to_num(metrics.class_f1(truth, prediction, which)) == pytest.approx(f1)


@given(SEEDS)
def test_reconstruction_metrics_equal_those_of_scikit_learn(seed: int):
    random = np.random.default_rng(seed)
    truth = random.normal(size=(int(random.integers(2, 30)), 3, 2)) * [1, 5]
    restored = truth + random.normal(size=truth.shape)
    columns = metrics.reconstruction_columns(truth, restored, truth.mean(axis=0))
    found = metrics.values(metrics.bound_metrics("reconstruction", columns))
    flat = truth.reshape(len(truth), -1), restored.reshape(len(truth), -1)
    assert found["mse"] == pytest.approx(sklearn.metrics.mean_squared_error(*flat))
    assert found["mae"] == pytest.approx(sklearn.metrics.mean_absolute_error(*flat))
    assert found["r2"] == pytest.approx(sklearn.metrics.r2_score(*flat, multioutput="variance_weighted"))


def test_r2_of_equal_samples_is_0():
    rows = np.full((4, 2), 0.5)
    columns = metrics.reconstruction_columns(rows, rows + 1, rows.mean(axis=0))
    assert metrics.values(metrics.bound_metrics("reconstruction", columns)) == {"mse": 1.0, "mae": 1.0, "r2": 0.0}


def _stacked(task: str, classes: int) -> dict[str, np.ndarray]:
    """Columns (7, 30): seven resamples side by side, as a bootstrap has them."""
    random = np.random.default_rng(3)
    which = random.integers(0, 30, (7, 30))
    if task == "reconstruction":
        rows = random.normal(size=(30, 4, 2))
        found = metrics.reconstruction_columns(rows, rows + random.normal(size=rows.shape), rows.mean(axis=0))
    elif task == "classification":
        positive = random.integers(0, 7, 30) / 6
        few = metrics.columns(task, random.integers(0, 2, 30), np.stack([1 - positive, positive], axis=1))
        many = metrics.columns(task, random.integers(0, 9, 30), random.dirichlet(np.ones(9), 30))
        found = many if classes > 2 else few
    else:
        truth = random.normal(size=30)
        found = metrics.columns(task, truth, truth + random.normal(size=30))
    return {name: column[which] for name, column in found.items()}


@pytest.mark.parametrize(
    ("task", "record"),
    [(task, metric) for task in METRICS for metric in METRICS[task] if task != "detection"],  # see test_detection
    ids=lambda each: getattr(each, "name", each),
)
@pytest.mark.parametrize("axis", [-1, 0])
def test_a_metric_along_an_axis_is_the_metric_of_each_resample(task: str, record: Metric, axis: int):
    stacked = _stacked(task, classes=2 if record.of_two_classes else 9)
    metric, columns = metrics.bound_metrics(task, stacked)[record.name]
    each = [metric(*(column[row] for column in columns)) for row in range(7)]
    together = metric(*(column if axis == -1 else column.T for column in columns), axis=axis)
    np.testing.assert_allclose(together, each, rtol=1e-12)


def test_macro_f1_ignores_classes_that_do_not_occur():
    truth, prediction = np.array([0, 0, 7, 7]), np.array([0, 7, 7, 7])
    assert metrics.macro_f1(truth, prediction) == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert np.isnan(metrics.class_f1(truth, prediction, 3))
    assert metrics.class_metrics(truth, prediction, 3) == {"rows": 0, "precision": 0.0, "recall": 0.0, "f1": 0.0}


CONSTANT, VARYING = np.full(7, 5.0), np.arange(7.0)


@pytest.mark.parametrize(
    ("metric", "truth", "prediction"),
    [
        (metrics.r2, CONSTANT, VARYING),
        (metrics.r2, CONSTANT, CONSTANT),
        (metrics.correlation, CONSTANT, VARYING),
        (metrics.correlation, VARYING, CONSTANT),
    ],
)
def test_r2_and_correlation_of_constants_are_0(metric, truth: np.ndarray, prediction: np.ndarray):
    assert metric(truth, prediction) == 0.0


def test_r2_of_a_constant_truth_with_a_rounded_mean_is_0():
    assert metrics.r2(np.full(7, 0.1), VARYING) == 0.0


def test_correlation_of_constants_with_rounded_means_is_0():
    assert metrics.correlation(np.full(7, 0.1), np.full(7, 0.2)) == 0.0


# --- what is known of each metric ---


def test_every_task_has_its_metrics():
    assert set(METRICS) == set(get_args(Task))


@pytest.mark.parametrize("task", METRICS)
def test_metric_names_of_a_task_are_unique_and_ranks_count_from_0(task: Task):
    names = [metric.name for metric in METRICS[task]]
    assert len(set(names)) == len(names)
    ranks = sorted(metric.rank for metric in METRICS[task] if metric.rank is not None)
    assert ranks == list(range(len(ranks)))


@pytest.mark.parametrize(
    ("task", "shown", "history"),
    [
        ("classification", ("accuracy", "macro_f1", "loss"), "accuracy"),
        ("regression", ("correlation", "mae", "mse", "r2"), "mae"),
        ("reconstruction", ("r2", "mse", "mae"), "mae"),
        ("detection", ("mean_average_precision", "precision", "recall"), None),
    ],
)
def test_a_task_has_compared_metrics_and_one_history_metric(task: Task, shown: tuple[str, ...], history: str | None):
    assert metrics.shown_metrics(task) == shown
    assert metrics.headline_metric(task) == shown[0]
    assert metrics.history_metric(task) == history
    assert sum(metric.in_history for metric in METRICS[task]) <= 1


@pytest.mark.parametrize("task", METRICS)
def test_the_headline_metric_is_better_when_higher(task: Task):
    """Promotion and the paired bootstrap rely on it."""
    assert metrics.find_metric(metrics.headline_metric(task), task).higher_is_better


@pytest.mark.parametrize("task", METRICS)
def test_errors_and_losses_are_better_when_lower(task: Task):
    lower = {metric.name for metric in METRICS[task] if not metric.higher_is_better}
    assert lower == {"loss", "mae", "mse", "log_loss", "brier_score"} & {metric.name for metric in METRICS[task]}


def test_a_metric_is_found_with_or_without_the_prefix_of_validation():
    assert metrics.find_metric("val_accuracy") is metrics.find_metric("accuracy", "classification")
    assert metrics.find_metric("r2").formula is metrics.r2
    assert metrics.find_metric("r2", "reconstruction").formula is metrics.share_explained


@pytest.mark.parametrize(("name", "task"), [("auc", None), ("accuracy", "regression")])
def test_an_unknown_metric_is_refused(name: str, task: Task | None):
    with pytest.raises(KeyError, match=name):
        metrics.find_metric(name, task)


@pytest.mark.parametrize(
    ("name", "expected"), [("mae", True), ("val_mae", True), ("mse", False), ("accuracy", False), ("gap", False)]
)
def test_only_the_mean_absolute_error_has_the_unit_of_the_target(name: str, expected: bool):
    assert metrics.is_in_target_unit(name) is expected


def test_early_stopping_can_monitor_the_validation_loss_and_every_history_metric():
    assert metrics.monitored_metrics() == ("val_loss", "val_accuracy", "val_mae")
