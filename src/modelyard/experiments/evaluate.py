"""Evaluation of a model on test samples: metrics, their confidence intervals, and plots.

This is the only module that opens test samples: whoever needs some of them asks here.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard import metrics, models
from modelyard.data import inputs
from modelyard.data.columns import RARE, SMALLEST_CATEGORY
from modelyard.data.samples import Samples
from modelyard.experiments.tasks import TASKS, Plots, ScoredPredictions
from modelyard.metrics.bootstrap import CONFIDENCE, RESAMPLES, confidence_interval

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Evaluation:
    """A model's predictions on its test samples, with their metrics.

    Attributes:
        scored: the predictions.
        metrics: the values of metrics.json.
        details: the content of details.json.
    """

    scored: ScoredPredictions
    metrics: dict[str, float]
    details: dict[str, Any]

    @property
    def predictions(self) -> "pd.DataFrame":
        """The table of predictions on test samples."""
        return self.scored.predictions


def load_test_samples(test: Path) -> Samples:
    """Open the test samples of a folder, memory-mapped."""
    return inputs.load_test(test)


def evaluate(model: models.Model, test: Path) -> Evaluation:
    """Evaluate a model on all test samples of a folder, and on the slices of them that the input asks for."""
    samples = load_test_samples(test)
    scored = TASKS[model.description.task].score(model, samples, model.predict(samples.x))
    bound = scored.bound_metrics
    found = {name: confidence_interval(metric) for name, metric in bound.items()}
    details: dict[str, Any] = {
        "rows": len(samples),
        "intervals": {name: list(each.interval) for name, each in found.items()},
        "interval": {
            "confidence": CONFIDENCE,
            "methods": {name: each.method for name, each in found.items()},
            "resamples": RESAMPLES,
        },
        **scored.details,
    }
    if slices := inputs.load_slices(test):
        headline = metrics.headline_metric(model.description.task)
        details["slices"] = {"metric": headline, "columns": _measure_slices(bound[headline], slices)}
    return Evaluation(scored, metrics.values(bound), details)


def plot_evaluation(evaluation: Evaluation, training: inputs.TrainingInput, history: "pd.DataFrame") -> Plots:
    """The plots of an evaluation, by file name."""
    from modelyard.experiments import plots

    model = evaluation.scored.model
    task = model.description.task
    files = {
        "learning_curve.png": plots.learning_curve(history, metrics.history_metric(task)),
        "layers.png": plots.layer_diagram(model.layers),
    }
    return files | _plot_first_convolution(model, training) | TASKS[task].plot(evaluation.scored, training)


def _measure_slices(metric: metrics.BoundMetric, slices: inputs.Slices) -> dict[str, Any]:
    """By column and slice: the number of its samples, and their metric with its interval; small slices together."""
    return {
        column: {
            name: _measure_slice(metric, labels == name) for name in sorted(set(labels.tolist()), key=_first_number)
        }
        for column, labels in ((column, _pool_rare(labels)) for column, labels in slices.items())
    }


def _pool_rare(labels: np.ndarray) -> np.ndarray:
    names, positions, counts = np.unique(labels, return_inverse=True, return_counts=True)
    pooled: np.ndarray = np.where(counts < SMALLEST_CATEGORY, RARE, names)[positions]
    return pooled


def _measure_slice(metric: metrics.BoundMetric, members: np.ndarray) -> dict[str, float]:
    part = metrics.BoundMetric(metric.formula, tuple(array[members] for array in metric.arrays))
    return {
        "rows": int(members.sum()),
        "value": part.value,
        **confidence_interval(part).interval._asdict(),
    }


def _first_number(name: str) -> tuple[float, str]:
    """The order of slices: by the number that a name begins with, then by the name."""
    try:
        return float(name.partition(" to ")[0]), name
    except ValueError:
        return math.inf, name


def _plot_first_convolution(model: models.Model, training: inputs.TrainingInput) -> Plots:
    """The kernels of the first convolution, and its feature maps of the first training image."""
    from modelyard.experiments import plots

    image = training.samples.x[0]
    convolution = model.first_convolution(image)
    if convolution is None:
        return {}
    kernels, maps = convolution
    return {"filters.png": plots.filters(kernels), "feature_maps.png": plots.feature_maps(image, maps)}
