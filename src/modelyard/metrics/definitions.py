"""Metrics of each task: their formulas, vectorized along an axis for the bootstrap, and all that is known of them."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from modelyard.data.samples import Task
from modelyard.metrics import detection
from modelyard.metrics.ranking import average_precision, roc_auc

Columns = Mapping[str, np.ndarray]
Formula = Callable[..., np.ndarray]

POSITIVE = "positive"  # the column of the second class's probability, where there are two classes
SMALLEST_PROBABILITY = 1e-7  # as Keras clips, so that a certain mistake costs 16.1 and not infinity


class BoundMetric(NamedTuple):
    """A formula with its arrays, each with one value per sample; a bootstrap resamples the arrays together."""

    formula: Formula
    arrays: tuple[np.ndarray, ...]

    @property
    def value(self) -> float:
        """The metric of all samples."""
        return float(self.formula(*self.arrays))


@dataclass(frozen=True)
class Metric:
    """One metric of a task.

    Attributes:
        name: Name in metrics.json, in MLflow (after `test_`), in comparisons and in claims.
        formula: Takes `columns`, each of shape (..., n), and `axis`.
        columns: The columns that the formula takes, by name (see `columns`).
        higher_is_better: Direction of the metric.
        rank: Position in a comparison; 0 is the headline metric, None is not compared.
        in_target_unit: Whether the metric has the unit of the target.
        in_history: Whether Keras computes it after each epoch, beside the loss and under the same name.
        of_two_classes: Whether it is for classifications of two classes only.
    """

    name: str
    formula: Formula
    columns: tuple[str, ...]
    higher_is_better: bool
    rank: int | None = None
    in_target_unit: bool = False
    in_history: bool = False
    of_two_classes: bool = False


def metric_names(task: Task, classes: int = 0) -> tuple[str, ...]:
    """Names of all metrics of a task; `classes` is the number of classes, 0 where it is not known."""
    return tuple(metric.name for metric in METRICS[task] if classes in (0, 2) or not metric.of_two_classes)


def shown_metrics(task: Task, measured: Collection[str] = ()) -> tuple[str, ...]:
    """Names of the compared metrics of a task, the headline metric first; those of two classes only if measured."""
    ranked = sorted(
        (metric.rank, metric.name)
        for metric in METRICS[task]
        if metric.rank is not None and (not metric.of_two_classes or metric.name in measured)
    )
    return tuple(name for _, name in ranked)


def headline_metric(task: Task) -> str:
    """Name of the metric by which models of a task are compared; more of it is better."""
    return shown_metrics(task)[0]


def history_metric(task: Task) -> str | None:
    """Name of the metric in the history of each epoch beside the loss; None if the task has the loss only."""
    return next((metric.name for metric in METRICS[task] if metric.in_history), None)


def monitored_metrics() -> tuple[str, ...]:
    """Names that early stopping and checkpoints can monitor: the validation loss and metric of any task."""
    names = [history_metric(task) for task in METRICS]
    return tuple(dict.fromkeys(["val_loss", *(f"val_{name}" for name in names if name)]))


def find_metric(name: str, task: Task | None = None) -> Metric:
    """Return a metric by its name, with or without `val_`; without a task, that of the first task that has it.

    Raises:
        KeyError: No task has such a metric.
    """
    for metric in _metrics_named(name, METRICS if task is None else [task]):
        return metric
    raise KeyError(name)


def is_in_target_unit(name: str) -> bool:
    """Whether a metric, named with or without `val_`, has the unit of the target in any task."""
    return any(metric.in_target_unit for metric in _metrics_named(name, METRICS))


def bound_metrics(task: Task, columns: Columns) -> dict[str, BoundMetric]:
    """Bind every metric of a task to its columns, each of shape (n,); those of two classes only if there are two."""
    return {
        metric.name: BoundMetric(metric.formula, tuple(columns[name] for name in metric.columns))
        for metric in METRICS[task]
        if not metric.of_two_classes or POSITIVE in columns
    }


def bound_detection_metrics(targets: np.ndarray, found: detection.Boxes) -> dict[str, BoundMetric]:
    """Bind every metric of detection to the numbers of the images, so that a bootstrap resamples whole images.

    Precision and recall are micro-averages over the classes, of boxes with at least the score `detection.CERTAIN`.
    """
    matches, images = detection.match(targets, found), np.arange(len(targets))
    return {
        metric.name: BoundMetric(detection.of_images(metric.formula, matches), (images,))
        for metric in METRICS["detection"]
    }


def values(bound: Mapping[str, BoundMetric]) -> dict[str, float]:
    """Compute the value of every metric."""
    return {name: metric.value for name, metric in bound.items()}


def columns(task: Task, truth: np.ndarray, predictions: np.ndarray) -> dict[str, np.ndarray]:
    """Return the columns that the metrics of a classification or regression are computed from.

    Args:
        task: Classification or regression.
        truth: Class numbers or measured values (n,).
        predictions: Probabilities (n, classes) or values (n,).
    """
    return COLUMNS[task](truth, predictions)


def _metrics_named(name: str, tasks: Iterable[Task]) -> Iterator[Metric]:
    plain = name.removeprefix("val_")
    return (metric for task in tasks for metric in METRICS[task] if metric.name == plain)


def classification_columns(
    truth: np.ndarray, probabilities: np.ndarray, prediction: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Columns (n,) of a classification: truth, prediction, its probability and the sample's cross-entropy.

    Of two classes also the probability of the second, which is the positive one. The prediction is the likeliest class
    unless another is given.
    """
    samples = np.arange(len(truth))
    prediction = probabilities.argmax(axis=1) if prediction is None else prediction
    columns = {
        "truth": truth.astype(np.int64),
        "prediction": prediction,
        "probability": probabilities[samples, prediction],
        "loss": cross_entropy(probabilities[samples, truth]),
    }
    return columns | ({POSITIVE: probabilities[:, 1]} if probabilities.shape[1] == 2 else {})


def _regression_columns(truth: np.ndarray, predictions: np.ndarray) -> dict[str, np.ndarray]:
    """Columns (n,) of a regression: truth and prediction."""
    return {"truth": truth.astype(np.float64), "prediction": predictions.astype(np.float64)}


def cross_entropy(probability_of_truth: np.ndarray) -> np.ndarray:
    """Cross-entropy of each sample from the probability of its true class, in nats."""
    return -np.log(np.clip(probability_of_truth.astype(np.float64), SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY))


def accuracy(truth: np.ndarray, prediction: np.ndarray, axis: int = -1) -> np.ndarray:
    """Share of samples whose class is right."""
    return mean(truth == prediction, axis)


def balanced_accuracy(truth: np.ndarray, prediction: np.ndarray, axis: int = -1) -> np.ndarray:
    """Unweighted mean of the recall of the classes that occur in the truth."""
    right = truth == prediction
    recalls = [_share_of(right, truth == label, axis) for label in np.unique(truth)]
    balanced: np.ndarray = np.nanmean(recalls, axis=0)
    return balanced


def _share_of(right: np.ndarray, of_class: np.ndarray, axis: int) -> np.ndarray:
    """Share of right predictions among the samples of a class; NaN without such samples."""
    count = np.sum(of_class, axis=axis)
    return np.where(count, np.sum(right & of_class, axis=axis) / np.maximum(count, 1), np.nan)


def brier_score(truth: np.ndarray, positive: np.ndarray, axis: int = -1) -> np.ndarray:
    """Mean squared distance of the second class's probability from 1 where that class is true, else from 0."""
    return mean_squared_error(truth, positive, axis)


def macro_f1(truth: np.ndarray, prediction: np.ndarray, axis: int = -1) -> np.ndarray:
    """Unweighted mean of the F1 of the classes that occur in truth or prediction."""
    scores = [class_f1(truth, prediction, label, axis) for label in np.union1d(truth, prediction)]
    macro: np.ndarray = np.nanmean(scores, axis=0)
    return macro


def class_f1(truth: np.ndarray, prediction: np.ndarray, label: int, axis: int = -1) -> np.ndarray:
    """F1 of one class; NaN where it occurs in neither truth nor prediction."""
    true, predicted = truth == label, prediction == label
    both = np.sum(true & predicted, axis=axis)
    either = np.sum(true, axis=axis) + np.sum(predicted, axis=axis)
    return np.where(either, 2 * both / np.maximum(either, 1), np.nan)


def class_metrics(truth: np.ndarray, prediction: np.ndarray, label: int) -> dict[str, float]:
    """Precision, recall and F1 of one class, and its number of true samples (`rows`); 0 where one is not defined."""
    hits = int(np.sum((truth == label) & (prediction == label)))
    rows, predicted = int(np.sum(truth == label)), int(np.sum(prediction == label))
    return {
        "rows": rows,
        "precision": hits / predicted if predicted else 0.0,
        "recall": hits / rows if rows else 0.0,
        "f1": 2 * hits / (rows + predicted) if rows + predicted else 0.0,
    }


def mean_absolute_error(truth: np.ndarray, prediction: np.ndarray, axis: int = -1) -> np.ndarray:
    """Mean absolute error, in the target's unit."""
    return mean(np.abs(truth - prediction), axis)


def mean_squared_error(truth: np.ndarray, prediction: np.ndarray, axis: int = -1) -> np.ndarray:
    """Mean squared error, in the target's unit squared."""
    return mean(np.square(truth - prediction), axis)


def r2(truth: np.ndarray, prediction: np.ndarray, axis: int = -1) -> np.ndarray:
    """Share of the truth's variance that is explained; 0 for a constant truth."""
    varies = np.ptp(truth, axis=axis) > 0
    variance = np.where(varies, np.var(truth, axis=axis), 1.0)
    return np.where(varies, 1 - mean_squared_error(truth, prediction, axis) / variance, 0.0)


def correlation(truth: np.ndarray, prediction: np.ndarray, axis: int = -1) -> np.ndarray:
    """Pearson's correlation of prediction and truth; 0 where either is constant."""
    varies = (np.ptp(truth, axis=axis) > 0) & (np.ptp(prediction, axis=axis) > 0)
    truth = truth - np.mean(truth, axis=axis, keepdims=True)
    prediction = prediction - np.mean(prediction, axis=axis, keepdims=True)
    norms = np.sqrt(np.sum(truth**2, axis=axis) * np.sum(prediction**2, axis=axis))
    return np.where(varies, np.sum(truth * prediction, axis=axis) / np.where(varies, norms, 1.0), 0.0)


def mean(values: np.ndarray, axis: int = -1) -> np.ndarray:
    """Mean of a column."""
    average: np.ndarray = np.mean(values, axis=axis)
    return average


def reconstruction_columns(truth: np.ndarray, restored: np.ndarray, mean: np.ndarray) -> dict[str, np.ndarray]:
    """Columns (n,) of samples (n, ...) and their reconstructions: mean errors, and squared distance from the mean."""
    error = truth - restored
    return {
        "squared_error": _means_of_samples(np.square(error)),
        "absolute_error": _means_of_samples(np.abs(error)),
        "squared_distance": _means_of_samples(np.square(truth - mean)),
    }


def _means_of_samples(values: np.ndarray) -> np.ndarray:
    """Mean (n,) of each sample's values (n, ...), in float64."""
    return np.asarray(np.mean(values, axis=tuple(range(1, values.ndim)), dtype=np.float64))


def share_explained(squared_error: np.ndarray, squared_distance: np.ndarray, axis: int = -1) -> np.ndarray:
    """Share of the samples' variance that their reconstructions keep; 0 where all samples are equal."""
    distance = np.mean(squared_distance, axis=axis)
    return np.where(distance, 1 - np.mean(squared_error, axis=axis) / np.where(distance, distance, 1.0), 0.0)


METRICS: dict[Task, tuple[Metric, ...]] = {
    "classification": (
        Metric("loss", mean, ("loss",), higher_is_better=False, rank=2),
        Metric("accuracy", accuracy, ("truth", "prediction"), higher_is_better=True, rank=0, in_history=True),
        Metric("macro_f1", macro_f1, ("truth", "prediction"), higher_is_better=True, rank=1),
        Metric("balanced_accuracy", balanced_accuracy, ("truth", "prediction"), higher_is_better=True),
        Metric("roc_auc", roc_auc, ("truth", POSITIVE), higher_is_better=True, rank=3, of_two_classes=True),
        Metric(
            "average_precision",
            average_precision,
            ("truth", POSITIVE),
            higher_is_better=True,
            rank=4,
            of_two_classes=True,
        ),
        Metric("log_loss", mean, ("loss",), higher_is_better=False, of_two_classes=True),
        Metric("brier_score", brier_score, ("truth", POSITIVE), higher_is_better=False, rank=5, of_two_classes=True),
    ),
    "regression": (
        Metric("loss", mean_squared_error, ("truth", "prediction"), higher_is_better=False),
        Metric(
            "mae",
            mean_absolute_error,
            ("truth", "prediction"),
            higher_is_better=False,
            rank=1,
            in_target_unit=True,
            in_history=True,
        ),
        Metric("mse", mean_squared_error, ("truth", "prediction"), higher_is_better=False, rank=2),
        Metric("r2", r2, ("truth", "prediction"), higher_is_better=True, rank=3),
        Metric("correlation", correlation, ("truth", "prediction"), higher_is_better=True, rank=0),
    ),
    "reconstruction": (
        Metric("mse", mean, ("squared_error",), higher_is_better=False, rank=1),
        Metric("mae", mean, ("absolute_error",), higher_is_better=False, rank=2, in_history=True),
        Metric("r2", share_explained, ("squared_error", "squared_distance"), higher_is_better=True, rank=0),
    ),
    "detection": (
        Metric("mean_average_precision", detection.mean_average_precisions, ("image",), higher_is_better=True, rank=0),
        Metric("precision", detection.precisions, ("image",), higher_is_better=True, rank=1),
        Metric("recall", detection.recalls, ("image",), higher_is_better=True, rank=2),
    ),
}
"""The metrics of each task, in the order of metrics.json."""

COLUMNS: dict[Task, Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]]] = {
    "classification": classification_columns,
    "regression": _regression_columns,
}
"""Columns of a task from truth and predictions, where each sample has one of both."""
