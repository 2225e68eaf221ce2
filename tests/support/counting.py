"""A task that the package does not have: to predict a count. Its headline metric is the share of exact counts."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from modelyard import metrics
from modelyard.data.inputs import InputDescription, TrainingInput
from modelyard.data.samples import Samples
from modelyard.experiments.tasks import Plots, PredictedSamples, ScoredPredictions
from modelyard.experiments.tasks.interface import ImportanceMetric
from modelyard.metrics import BoundMetric, Metric
from modelyard.models import Model
from modelyard.models.engine.tasks import Output, TrainingLoss, TrainingTask

NAME = "counting"
METRICS = (
    Metric("exact", metrics.accuracy, ("truth", "prediction"), higher_is_better=True, rank=0),
    Metric("miscount", metrics.mean_absolute_error, ("truth", "prediction"), higher_is_better=False, rank=1),
)
TRAINING = TrainingTask(
    losses={"mse": TrainingLoss(lambda _: Output(1, "linear"), lambda y, *_: np.float32(y)[:, np.newaxis])},
    decode=lambda outputs: outputs[:, 0],
)
IMPORTANCE_METRIC: ImportanceMetric | None = ImportanceMetric("miscount", "mean miscount")


def score(model: Model, test: Samples, outputs: np.ndarray) -> ScoredPredictions:
    columns = {"truth": np.asarray(test.y), "prediction": np.rint(outputs).astype(int)}
    return ScoredPredictions(model, test, outputs, pd.DataFrame(columns), metrics_from_table(columns))


def metrics_from_table(columns: Mapping[str, np.ndarray]) -> dict[str, BoundMetric]:
    return metrics.bound_metrics(NAME, columns)


def plot(scored: ScoredPredictions, training: TrainingInput) -> Plots:
    return {"counts.png": _bars(scored.predictions.prediction)}


def summarize_targets(samples: Samples, description: InputDescription) -> dict[str, Any]:
    return {"largest_count": int(samples.y.max())}


def prediction_table(predicted: PredictedSamples) -> pd.DataFrame:
    return pd.DataFrame({"count": np.rint(predicted.outputs).astype(int)})


def plot_predictions(predicted: PredictedSamples) -> Figure:
    return _bars(predicted.outputs)


def _bars(counts: np.ndarray) -> Figure:
    figure = Figure()
    figure.add_subplot().bar(range(len(counts)), counts)
    return figure
