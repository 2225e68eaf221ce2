"""How good predictions are: plain formulas along an axis, so that a bootstrap can resample them by the thousand."""

from collections.abc import Callable, Mapping

import numpy as np

from modelyard.rows import Task

Columns = Mapping[str, np.ndarray]
Metric = Callable[..., np.ndarray]
Measure = tuple[Metric, tuple[np.ndarray, ...]]

SMALLEST_PROBABILITY = 1e-7  # as Keras clips, so that a certain mistake costs 16.1 and not infinity


def measures(task: Task, columns: Columns) -> dict[str, Measure]:
    """Every metric of a task with the columns of shape (n,), one value a row, that it is computed from."""
    return {name: (metric, tuple(columns[each] for each in needed)) for name, (metric, needed) in METRICS[task].items()}


def figures(measured: Mapping[str, Measure]) -> dict[str, float]:
    """The value of every metric."""
    return {name: float(metric(*columns)) for name, (metric, columns) in measured.items()}


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


METRICS: dict[Task, dict[str, tuple[Metric, tuple[str, ...]]]] = {
    "classification": {
        "loss": (mean, ("loss",)),
        "accuracy": (accuracy, ("truth", "prediction")),
        "macro_f1": (macro_f1, ("truth", "prediction")),
    },
    "regression": {
        "loss": (mean_squared_error, ("truth", "prediction")),
        "mae": (mean_absolute_error, ("truth", "prediction")),
        "mse": (mean_squared_error, ("truth", "prediction")),
        "r2": (r2, ("truth", "prediction")),
        "correlation": (correlation, ("truth", "prediction")),
    },
    "reconstruction": {
        "mse": (mean, ("squared_error",)),
        "mae": (mean, ("absolute_error",)),
        "r2": (share_explained, ("squared_error", "squared_distance")),
    },
}
"""Per task: a metric's name, its formula, and the columns it is computed from. A detection's are in `detection`."""

_COLUMNS = {"classification": _classification_columns, "regression": _regression_columns}

SHOWN: dict[Task, tuple[str, ...]] = {
    "classification": ("accuracy", "macro_f1", "loss"),
    "regression": ("correlation", "mae", "mse", "r2"),
    "reconstruction": ("r2", "mse", "mae"),
    "detection": ("mean_average_precision", "precision", "recall"),
}
"""The metrics that stand in a comparison, the one first that stands for the task where there is room for one."""

WATCHED: dict[Task, str] = {"classification": "accuracy", "regression": "mae", "reconstruction": "mae"}
"""The metric that stands beside the loss in a history; a detection has none."""
