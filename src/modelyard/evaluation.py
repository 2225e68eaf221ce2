"""The one place where test rows are opened: predictions, metrics, and how sure they are."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from modelyard import figures, inputs, metrics, models
from modelyard.rows import Rows
from modelyard.statistics import CONFIDENCE, RESAMPLES, bootstrap_interval

Pictures = dict[str, Figure]


@dataclass(frozen=True)
class Evaluation:
    """A model's answers on its test rows, and what they are worth."""

    test: Rows
    predictions: pd.DataFrame
    metrics: dict[str, float]
    details: dict[str, Any]


def evaluate(model: models.Model, test: Path) -> Evaluation:
    """Ask a model for all test rows of a folder."""
    rows = inputs.load_test(test)
    task = model.description.task
    columns = metrics.columns(task, np.asarray(rows.y), model.predict(rows.x))
    details: dict[str, Any] = {
        "rows": len(rows),
        "intervals": {
            name: list(bootstrap_interval(metric, arguments))
            for name, (metric, arguments) in metrics.metrics_with_columns(task, columns).items()
        },
        "interval": {"confidence": CONFIDENCE, "method": "percentile bootstrap", "resamples": RESAMPLES},
    }
    if task == "classification":
        details["classes"] = _per_class(columns, model.description.classes)
    return Evaluation(rows, pd.DataFrame(columns), metrics.figures(task, columns), details)


def _per_class(columns: metrics.Columns, classes: tuple[str, ...]) -> dict[str, dict[str, float]]:
    truth, prediction = columns["truth"], columns["prediction"]
    return {name: metrics.class_figures(truth, prediction, number) for number, name in enumerate(classes)}


def draw(
    evaluation: Evaluation, model: models.Model, training: inputs.TrainingInput, history: pd.DataFrame
) -> Pictures:
    """The pictures that go with an evaluation, by file name."""
    task, classes = model.description.task, model.description.classes
    table = evaluation.predictions
    pictures = {"learning_curve.png": figures.learning_curve(history, task)}
    if task == "regression":
        return pictures | {"predicted_against_true.png": figures.predicted_against_true(table.truth, table.prediction)}
    pictures["confusion.png"] = figures.confusion(table.truth, table.prediction, classes)
    if len(model.description.shape) == 3:
        pictures["first_training_images.png"] = _grid_of_training(model, training.training)
        pictures["worst_mistakes.png"] = _grid_of_mistakes(evaluation, classes)
    return pictures


def _grid_of_training(model: models.Model, rows: Rows) -> Figure:
    first = rows.take(np.arange(min(figures.GRID**2, len(rows))))
    return figures.prediction_grid(first.x, first.y, model.predict(first.x).argmax(axis=1), model.description.classes)


def _grid_of_mistakes(evaluation: Evaluation, classes: tuple[str, ...]) -> Figure:
    """The test images of which the model was most sure, and wrong."""
    table = evaluation.predictions
    wrong = table[table.truth != table.prediction].sort_values("probability", ascending=False, kind="stable")
    worst = wrong.head(figures.GRID**2)
    return figures.prediction_grid(
        evaluation.test.x[worst.index], worst.truth.to_numpy(), worst.prediction.to_numpy(), classes
    )
