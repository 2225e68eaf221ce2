"""Classification: a class, with its probability, for each row."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from modelyard import metrics
from modelyard.data.inputs import TrainingInput
from modelyard.data.samples import Samples
from modelyard.experiments import plots
from modelyard.experiments.tasks.judgement import Judgement, Pictures
from modelyard.models import Model

READ = 12  # texts to read


def judge(model: Model, test: Samples, outputs: np.ndarray) -> Judgement:
    """Predicted beside true classes, and the figures of each class."""
    columns = metrics.columns("classification", np.asarray(test.y), outputs)
    truth, prediction = columns["truth"], columns["prediction"]
    each = {
        name: metrics.class_metrics(truth, prediction, number) for number, name in enumerate(model.description.classes)
    }
    measures = metrics.bound_metrics("classification", columns)
    return Judgement(model, test, outputs, pd.DataFrame(columns), measures, {"classes": each})


def draw(judgement: Judgement, training: TrainingInput) -> Pictures:
    """Which class is taken for which; of images a grid and the worst mistakes, of texts a few to read."""
    description, table = judgement.model.description, judgement.predictions
    pictures = {"confusion.png": plots.confusion(table.truth, table.prediction, description.classes)}
    if len(description.shape) == 3:
        pictures["first_training_images.png"] = _grid_of_training(judgement.model, training.training)
        pictures["worst_mistakes.png"] = _grid_of_mistakes(judgement)
    if description.words:
        pictures["readings.png"] = _readings(judgement)
    return pictures


def _grid_of_training(model: Model, rows: Samples) -> Figure:
    first = rows.take(np.arange(min(plots.GRID**2, len(rows))))
    return plots.prediction_grid(first.x, first.y, model.predict(first.x).argmax(axis=1), model.description.classes)


def _grid_of_mistakes(judgement: Judgement) -> Figure:
    """The test images of which the model was most sure, and wrong."""
    table = judgement.predictions
    wrong = table[table.truth != table.prediction].sort_values("probability", ascending=False, kind="stable")
    worst = wrong.head(plots.GRID**2)
    return plots.prediction_grid(
        judgement.test.x[worst.index],
        worst.truth.to_numpy(),
        worst.prediction.to_numpy(),
        judgement.model.description.classes,
    )


def _readings(judgement: Judgement) -> Figure:
    """The first test texts in words, as the model reads them: padding left out."""
    description = judgement.model.description
    return plots.readings(
        [
            plots.Reading(
                [description.words[number] for number in row if number],
                description.classes[truth],
                description.classes[prediction],
            )
            for row, truth, prediction in zip(
                judgement.test.x[:READ],
                judgement.predictions.truth,
                judgement.predictions.prediction,
                strict=False,
            )
        ]
    )
