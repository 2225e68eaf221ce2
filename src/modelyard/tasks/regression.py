"""Regression: a number for each row."""

import numpy as np
import pandas as pd

from modelyard import figures, metrics
from modelyard.inputs import TrainingInput
from modelyard.models import Model
from modelyard.rows import Rows
from modelyard.tasks.judgement import Judgement, Pictures


def judge(model: Model, test: Rows, outputs: np.ndarray) -> Judgement:
    """Predicted beside true values."""
    columns = metrics.columns("regression", np.asarray(test.y), outputs)
    return Judgement(model, test, outputs, pd.DataFrame(columns), metrics.measures("regression", columns))


def draw(judgement: Judgement, training: TrainingInput) -> Pictures:
    """Each test row as a point."""
    table = judgement.predictions
    return {"predicted_against_true.png": figures.predicted_against_true(table.truth, table.prediction)}
