"""Regression: one number for each sample."""

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
    value_range,
)
from modelyard.metrics.definitions import BoundMetric
from modelyard.models import Model

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

IMPORTANCE_METRIC: ImportanceMetric | None = ImportanceMetric("mae", "mean absolute error")


def score(model: Model, test: Samples, outputs: np.ndarray) -> ScoredPredictions:
    """Predicted values beside the true ones."""
    import pandas as pd

    columns = metrics.columns("regression", np.asarray(test.y), outputs)
    return ScoredPredictions(model, test, outputs, pd.DataFrame(columns), metrics_from_table(columns))


def metrics_from_table(columns: Mapping[str, np.ndarray]) -> dict[str, BoundMetric]:
    """The metrics of the columns truth and prediction."""
    return metrics.bound_metrics("regression", columns)


def plot(scored: ScoredPredictions, training: TrainingInput) -> Plots:  # noqa: ARG001 (TaskModule)
    """Each test sample as a point."""
    from modelyard.experiments import plots

    table = scored.predictions
    return {
        "predicted_against_true.png": plots.predicted_against_true(table.truth.to_numpy(), table.prediction.to_numpy())
    }


def summarize_targets(samples: Samples, description: InputDescription) -> dict[str, Any]:  # noqa: ARG001 (TaskModule)
    """The range and mean of the target."""
    return value_range(samples)


def prediction_table(predicted: PredictedSamples) -> "pd.DataFrame":
    """The predicted value of each sample, after the true one where it is known."""
    import pandas as pd

    truth = {} if predicted.truth is None else {"truth": predicted.truth}
    return pd.DataFrame(truth | {"prediction": predicted.outputs})


def plot_predictions(predicted: PredictedSamples) -> "Figure":
    """Images titled by the predicted value."""
    from modelyard.experiments import plots

    titles = [(f"{value:.4g}", plots.RIGHT) for value in predicted.outputs]
    return plots.titled_images(predicted.x, titles, predicted.description.white_level)
