"""Regression: a number for each row."""

import numpy as np
import pandas as pd

from modelyard import metrics
from modelyard.data.inputs import TrainingInput
from modelyard.data.samples import Samples
from modelyard.experiments import plots
from modelyard.experiments.tasks.judgement import Judgement, Pictures
from modelyard.models import Model


def judge(model: Model, test: Samples, outputs: np.ndarray) -> Judgement:
    """Predicted beside true values."""
    columns = metrics.columns("regression", np.asarray(test.y), outputs)
    return Judgement(model, test, outputs, pd.DataFrame(columns), metrics.bound_metrics("regression", columns))


def draw(judgement: Judgement, training: TrainingInput) -> Pictures:
    """Each test row as a point."""
    table = judgement.predictions
    return {"predicted_against_true.png": plots.predicted_against_true(table.truth, table.prediction)}
