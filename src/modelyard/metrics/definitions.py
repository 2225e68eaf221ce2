"""How good predictions are: plain formulas along an axis, so that a bootstrap can resample them by the thousand."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from modelyard.data.samples import Task
from modelyard.metrics import detection

Columns = Mapping[str, np.ndarray]
Formula = Callable[..., np.ndarray]
BoundMetric = tuple[Formula, tuple[np.ndarray, ...]]
"""A formula with the arrays, one value per sample, that a bootstrap resamples together."""

SMALLEST_PROBABILITY = 1e-7  # as Keras clips, so that a certain mistake costs 16.1 and not infinity


@dataclass(frozen=True)
class Metric:
    """All that is known of one metric of a task.

    Attributes:
        name: the same in metrics.json, in MLflow (after `test_`), in comparisons and in claims.
        formula: takes `columns`, each of shape (..., n), and `axis`.
        columns: of the table of predictions.
        higher_is_better: its direction.
        rank: its place in a comparison from 0, which is the headline metric; None where it is not compared.
        in_target_unit: whether it is measured in the unit of the target.
        in_history: whether Keras computes it after each epoch, beside the loss and under the same name.
    """

    name: str
    formula: Formula
    columns: tuple[str, ...]
    higher_is_better: bool
    rank: int | None = None
    in_target_unit: bool = False
    in_history: bool = False


def shown_metrics(task: Task) -> tuple[str, ...]:
    """The metrics of a comparison, the headline metric first."""
    ranked = {metric.rank: metric.name for metric in METRICS[task] if metric.rank is not None}
    return tuple(ranked[rank] for rank in sorted(ranked))


def headline_metric(task: Task) -> str:
    """The metric that is shown where there is room for one."""
    return shown_metrics(task)[0]


def history_metric(task: Task) -> str | None:
    """The metric that a training computes after each epoch, beside the loss; None for detection."""
    return next((metric.name for metric in METRICS[task] if metric.in_history), None)


def find_metric(name: str, task: Task | None = None) -> Metric:
    """A metric by its name, with or without `val_`; without a task, of the first task that has it.

    Raises:
        KeyError: no task has such a metric.
    """
    plain = name.removeprefix("val_")
    for each in METRICS if task is None else [task]:
        for metric in METRICS[each]:
            if metric.name == plain:
                return metric
    raise KeyError(name)


def is_in_target_unit(name: str) -> bool:
    """Whether what a history, an evaluation or a claim calls by this name has the unit of the target."""
    plain = name.removeprefix("val_")
    return any(metric.in_target_unit for metrics in METRICS.values() for metric in metrics if metric.name == plain)


def bound_metrics(task: Task, columns: Columns) -> dict[str, BoundMetric]:
    """Every metric of a task, bound to the columns of shape (n,) that it is computed from."""
    return {each.name: (each.formula, tuple(columns[name] for name in each.columns)) for each in METRICS[task]}


def bound_detection_metrics(targets: np.ndarray, found: detection.Boxes) -> dict[str, BoundMetric]:
    """Every metric of found boxes, bound to the numbers of the images: a bootstrap resamples whole images.

    Precision and recall are those of all classes together, of boxes with at least the score `detection.CERTAIN`.
    """
    matches, images = detection.match(targets, found), np.arange(len(targets))
    return {each.name: (detection.of_images(each.formula, matches), (images,)) for each in METRICS["detection"]}


def values(bound: Mapping[str, BoundMetric]) -> dict[str, float]:
    """The value of every metric."""
    return {name: float(formula(*arrays)) for name, (formula, arrays) in bound.items()}


def columns(task: Task, truth: np.ndarray, predictions: np.ndarray) -> dict[str, np.ndarray]:
    """What the metrics of a classification or regression are computed from.

    Args:
        task: classification or regression.
        truth: class numbers or measured values (n,).
        predictions: probabilities (n, classes) or values (n,).
    """
    return _COLUMNS[task](truth, predictions)


def _classification_columns(truth: np.ndarray, probabilities: np.ndarray) -> dict[str, np.ndarray]:
    """Columns for a classification: truth (n,), prediction (n,), its probability and the row's cross-entropy."""
    chosen = probabilities[np.arange(len(truth)), truth]
    return {
        "truth": truth.astype(np.int64),
        "prediction": probabilities.argmax(axis=1),
        "probability": probabilities.max(axis=1),
        "loss": cross_entropy(chosen),
    }


def _regression_columns(truth: np.ndarray, predictions: np.ndarray) -> dict[str, np.ndarray]:
    """Columns for a regression: truth (n,), prediction (n,)."""
    return {"truth": truth.astype(np.float64), "prediction": predictions.astype(np.float64)}


def cross_entropy(probability_of_truth: np.ndarray) -> np.ndarray:
    """Cross-entropy of each row against its one true class, in nats."""
    return -np.log(np.clip(probability_of_truth.astype(np.float64), SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY))


def accuracy(truth: np.ndarray, prediction: np.ndarray, axis: int = -1) -> np.ndarray:
    """Share of rows whose class is right."""
    return np.mean(truth == prediction, axis=axis)


def macro_f1(truth: np.ndarray, prediction: np.ndarray, axis: int = -1) -> np.ndarray:
    """Mean over the classes, which occur in truth or prediction, of the harmonic mean of precision and recall."""
    scores = [class_f1(truth, prediction, each, axis) for each in np.union1d(truth, prediction)]
    return np.nanmean(scores, axis=0)


def class_f1(truth: np.ndarray, prediction: np.ndarray, which: int, axis: int = -1) -> np.ndarray:
    """F1 of one class; NaN where it occurs in neither truth nor prediction."""
    true, predicted = truth == which, prediction == which
    both = np.sum(true & predicted, axis=axis)
    either = np.sum(true, axis=axis) + np.sum(predicted, axis=axis)
    return np.where(either, 2 * both / np.maximum(either, 1), np.nan)


def class_figures(truth: np.ndarray, prediction: np.ndarray, which: int) -> dict[str, float]:
    """Precision, recall and F1 of one class, and its number of rows; 0 where a figure is not defined."""
    hits = int(np.sum((truth == which) & (prediction == which)))
    rows, predicted = int(np.sum(truth == which)), int(np.sum(prediction == which))
    return {
        "rows": rows,
        "precision": hits / predicted if predicted else 0.0,
        "recall": hits / rows if rows else 0.0,
        "f1": 2 * hits / (rows + predicted) if rows + predicted else 0.0,
    }


def mean_absolute_error(truth: np.ndarray, prediction: np.ndarray, axis: int = -1) -> np.ndarray:
    """Mean absolute error, in the target's unit."""
    return np.mean(np.abs(truth - prediction), axis=axis)


def mean_squared_error(truth: np.ndarray, prediction: np.ndarray, axis: int = -1) -> np.ndarray:
    """Mean squared error, in the target's unit squared."""
    return np.mean(np.square(truth - prediction), axis=axis)


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
    spread = np.sqrt(np.sum(truth**2, axis=axis) * np.sum(prediction**2, axis=axis))
    return np.where(varies, np.sum(truth * prediction, axis=axis) / np.where(varies, spread, 1.0), 0.0)


def mean(values: np.ndarray, axis: int = -1) -> np.ndarray:
    """Mean of a figure that each row has."""
    return np.mean(values, axis=axis)


def reconstruction_columns(truth: np.ndarray, restored: np.ndarray, mean: np.ndarray) -> dict[str, np.ndarray]:
    """Columns for rows (n, ...) and their reconstructions: mean errors of each row, and its distance from the mean."""
    rest = tuple(range(1, truth.ndim))
    error = truth - restored
    return {
        "squared_error": np.mean(np.square(error), axis=rest, dtype=np.float64),
        "absolute_error": np.mean(np.abs(error), axis=rest, dtype=np.float64),
        "squared_distance": np.mean(np.square(truth - mean), axis=rest, dtype=np.float64),
    }


def share_explained(squared_error: np.ndarray, squared_distance: np.ndarray, axis: int = -1) -> np.ndarray:
    """Share of the rows' variance that their reconstructions keep; 0 where all rows are equal."""
    distance = np.mean(squared_distance, axis=axis)
    return np.where(distance, 1 - np.mean(squared_error, axis=axis) / np.where(distance, distance, 1.0), 0.0)


METRICS: dict[Task, tuple[Metric, ...]] = {
    "classification": (
        Metric("loss", mean, ("loss",), higher_is_better=False, rank=2),
        Metric("accuracy", accuracy, ("truth", "prediction"), higher_is_better=True, rank=0, in_history=True),
        Metric("macro_f1", macro_f1, ("truth", "prediction"), higher_is_better=True, rank=1),
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

_COLUMNS = {"classification": _classification_columns, "regression": _regression_columns}
