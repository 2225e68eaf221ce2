"""What the module of a task provides, and the values that it receives and returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from modelyard.data.inputs import InputDescription, TrainingInput
from modelyard.data.samples import Samples
from modelyard.metrics.definitions import BoundMetric
from modelyard.models import Model

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Plots = dict[str, "Figure"]
"""Plots by file name."""


@dataclass(frozen=True)
class ScoredPredictions:
    """A model's predictions on test samples, ready to be measured.

    Attributes:
        model: the model that made them.
        test: the test samples.
        outputs: the model's raw outputs.
        predictions: the table that becomes predictions.csv.
        bound_metrics: by name, each metric with the arrays that a bootstrap resamples.
        details: further entries of details.json.
    """

    model: Model
    test: Samples
    outputs: np.ndarray
    predictions: "pd.DataFrame"
    bound_metrics: dict[str, BoundMetric]
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PredictedSamples:
    """Raw samples (n, ...) with a model's outputs (n, ...), to be shown to a person.

    Attributes:
        x: the samples as the model took them.
        outputs: the model's raw outputs.
        description: the model's input.
        truth: the targets (n, ...), where they are known.
        image_sizes: heights and widths (n, 2) of the images before they were resized, where they were.
    """

    x: np.ndarray
    outputs: np.ndarray
    description: InputDescription
    truth: np.ndarray | None = None
    image_sizes: np.ndarray | None = None


class ImportanceMetric(NamedTuple):
    """The metric by which permutation importance is measured.

    Attributes:
        metric: its name.
        error: what increases when the metric gets worse, as the label of an axis.
    """

    metric: str
    error: str


class TaskModule(Protocol):
    """What a module of this package defines; `tasks.TASKS` lists them.

    Importing one must stay cheap, for the stages normalise and compare do: pandas, matplotlib and the plots are
    imported within functions.
    """

    IMPORTANCE_METRIC: ImportanceMetric | None

    def score(self, model: Model, test: Samples, outputs: np.ndarray) -> ScoredPredictions:
        """Put a model's outputs for the test samples beside their targets."""

    def metrics_from_table(self, columns: Mapping[str, np.ndarray]) -> dict[str, BoundMetric]:
        """The metrics of the columns of a predictions.csv; none where its rows are not the test samples."""

    def plot(self, scored: ScoredPredictions, training: TrainingInput) -> Plots:
        """The plots of an evaluation, by file name."""

    def summarize_targets(self, samples: Samples, description: InputDescription) -> dict[str, Any]:
        """The entries of a data card that describe the targets of one part of the data, as JSON values."""

    def prediction_table(self, predicted: PredictedSamples) -> "pd.DataFrame":
        """Predictions as a person reads them; the index holds the position of each row's sample, from 0."""

    def plot_predictions(self, predicted: PredictedSamples) -> "Figure":
        """Images or texts with the predictions for them."""


def class_counts(samples: Samples, description: InputDescription) -> dict[str, Any]:
    """The summary of targets that are class numbers."""
    counts = np.bincount(samples.y, minlength=len(description.classes)).tolist()
    return {"rows_per_class": dict(zip(description.classes, counts, strict=True))}


def value_range(samples: Samples) -> dict[str, Any]:
    """The summary of targets that are measured values."""
    return {
        "target": {
            "smallest": float(np.nanmin(samples.y)),
            "mean": float(np.nanmean(samples.y)),
            "largest": float(np.nanmax(samples.y)),
        }
    }
