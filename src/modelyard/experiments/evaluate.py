"""The one place where test rows are opened: predictions, metrics, and how sure they are."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from modelyard import metrics, models
from modelyard.data import inputs
from modelyard.data.samples import Samples
from modelyard.experiments import plots, tasks
from modelyard.experiments.tasks import Judgement, Pictures
from modelyard.metrics.bootstrap import CONFIDENCE, RESAMPLES, bootstrap_interval


@dataclass(frozen=True)
class Evaluation:
    """A model's answers on its test rows, and what they are worth."""

    judgement: Judgement
    metrics: dict[str, float]
    details: dict[str, Any]

    @property
    def predictions(self) -> pd.DataFrame:
        """What the model said of each test row."""
        return self.judgement.predictions


def rows_of(test: Path) -> Samples:
    """The test rows of a folder, memory-mapped: for who shows some of them, and judges no model by them."""
    return inputs.load_test(test)


def evaluate(model: models.Model, test: Path) -> Evaluation:
    """Ask a model for all test rows of a folder."""
    rows = rows_of(test)
    judgement = tasks.judge(model, rows, model.predict(rows.x))
    measured = judgement.measures
    details: dict[str, Any] = {
        "rows": len(rows),
        "intervals": {name: list(bootstrap_interval(*measure)) for name, measure in measured.items()},
        "interval": {"confidence": CONFIDENCE, "method": "percentile bootstrap", "resamples": RESAMPLES},
        **judgement.details,
    }
    return Evaluation(judgement, metrics.values(measured), details)


def draw(evaluation: Evaluation, training: inputs.TrainingInput, history: pd.DataFrame) -> Pictures:
    """The pictures that go with an evaluation, by file name."""
    model = evaluation.judgement.model
    watched = metrics.history_metric(model.description.task)
    pictures = {
        "learning_curve.png": plots.learning_curve(history, watched),
        "layers.png": plots.layer_diagram(model.layers),
    }
    return pictures | _first_convolution(model, training) | tasks.draw(evaluation.judgement, training)


def _first_convolution(model: models.Model, training: inputs.TrainingInput) -> Pictures:
    """What the first convolution looks for, and what it finds in the first training image."""
    image = training.rows.x[0]
    found = model.first_convolution(image)
    if found is None:
        return {}
    kernels, maps = found
    return {"filters.png": plots.filters(kernels), "feature_maps.png": plots.feature_maps(image, maps)}
