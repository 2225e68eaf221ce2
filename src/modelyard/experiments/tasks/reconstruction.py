"""Reconstruction: each sample restored from a few codes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard import metrics
from modelyard.data.inputs import InputDescription, TrainingInput
from modelyard.data.samples import Samples
from modelyard.experiments.tasks.interface import (
    ImportanceMetric,
    Plots,
    PredictedSamples,
    ScoredPredictions,
    class_counts,
    value_range,
)
from modelyard.metrics.definitions import BoundMetric
from modelyard.models import Model
from modelyard.models.engine.keras_model import predict_native

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

CHUNK = 4096  # samples scaled at a time, to bound the memory
SHOWN = 10  # originals over their reconstructions
GENERATED, COLUMNS = 1000, 40  # images decoded from random codes
LEAST_VARIANCE = 1e-6  # added to each code's, for one that is constant would leave the covariance singular
IMPORTANCE_METRIC: ImportanceMetric | None = None


def score(model: Model, test: Samples, outputs: np.ndarray) -> ScoredPredictions:
    """The error of each reconstruction, in scaled units."""
    import pandas as pd

    scaler = model.description.scaler
    mean = scaler.transform(test.x.mean(axis=0, dtype=np.float64)[np.newaxis])
    chunks = [
        metrics.reconstruction_columns(
            scaler.transform(test.x[start : start + CHUNK]), outputs[start : start + CHUNK], mean
        )
        for start in range(0, len(test), CHUNK)
    ]
    columns = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}
    return ScoredPredictions(model, test, outputs, pd.DataFrame(columns), metrics_from_table(columns))


def metrics_from_table(columns: Mapping[str, np.ndarray]) -> dict[str, BoundMetric]:
    """The metrics of the errors of each sample."""
    return metrics.bound_metrics("reconstruction", columns)


def plot(scored: ScoredPredictions, training: TrainingInput) -> Plots:
    """For images: originals over reconstructions, and images decoded from random codes."""
    from modelyard.experiments import plots

    description = scored.model.description
    if len(description.shape) != 3:
        return {}
    originals = description.scaler.transform(scored.test.x[:SHOWN])
    return {
        "reconstructions.png": plots.reconstructions(originals, scored.outputs[:SHOWN]),
        "made_up.png": _plot_generated(scored.model, training, description),
    }


def summarize_targets(samples: Samples, description: InputDescription) -> dict[str, Any]:
    """The targets that came with the data, although no reconstruction uses them."""
    return class_counts(samples, description) if description.classes else value_range(samples)


def prediction_table(predicted: PredictedSamples) -> "pd.DataFrame":
    """The error of each reconstruction, in scaled units."""
    import pandas as pd

    scaled = predicted.description.scaler.transform(predicted.x)
    errors = metrics.reconstruction_columns(scaled, predicted.outputs, np.zeros_like(scaled))
    return pd.DataFrame({name: errors[name] for name in ("squared_error", "absolute_error")})


def plot_predictions(predicted: PredictedSamples) -> "Figure":
    """Originals over their reconstructions."""
    from modelyard.experiments import plots

    return plots.reconstructions(predicted.description.scaler.transform(predicted.x), predicted.outputs)


def _plot_generated(model: Model, training: TrainingInput, description: InputDescription) -> "Figure":
    """Decode codes drawn from a Gaussian with the mean and covariance of the training samples' codes."""
    from modelyard.experiments import plots

    codes = predict_native(model.submodels["encoder"], np.asarray(training.training.x, dtype=description.network_dtype))
    covariance = np.atleast_2d(np.cov(codes, rowvar=False)) + LEAST_VARIANCE * np.eye(codes.shape[1])
    random = np.random.default_rng(0)
    drawn = random.multivariate_normal(codes.mean(axis=0), covariance, size=GENERATED, method="cholesky")
    return plots.image_grid(predict_native(model.submodels["decoder"], drawn.astype(np.float32)), COLUMNS)
