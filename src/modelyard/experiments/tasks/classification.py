"""Classification: one class, with its probability, for each sample."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard import metrics
from modelyard.data.decision_threshold import HALF, goal_at, predicted_classes
from modelyard.data.inputs import InputDescription, TrainingInput
from modelyard.data.samples import Samples
from modelyard.experiments.tasks.interface import (
    ImportanceMetric,
    Plots,
    PredictedSamples,
    ScoredPredictions,
    class_counts,
)
from modelyard.metrics.definitions import POSITIVE, BoundMetric
from modelyard.models import Model

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

TEXTS = 12  # shown in readings.png
OCCLUDED_CLASSES = 10  # shown in occlusion.png
IMPORTANCE_METRIC: ImportanceMetric | None = ImportanceMetric("accuracy", "share of wrong predictions")


def score(model: Model, test: Samples, outputs: np.ndarray) -> ScoredPredictions:
    """Predicted classes beside the true ones, with precision, recall and F1 of each class."""
    import pandas as pd

    classes, threshold = model.description.classes, model.description.threshold
    columns = metrics.classification_columns(np.asarray(test.y), outputs, predicted_classes(outputs, threshold))
    bound = metrics_from_table(columns)
    truth, prediction, positive = columns["truth"], columns["prediction"], columns.pop(POSITIVE, None)
    details: dict[str, Any] = {
        "classes": {name: metrics.class_metrics(truth, prediction, number) for number, name in enumerate(classes)}
    }
    if positive is not None:
        details["positive_class"] = classes[1]
    if positive is not None and threshold:
        test_values = {
            name: goal_at(threshold.goal, truth, positive, value)
            for name, value in (("test", threshold.value), ("test_at_half", HALF))
        }
        details["threshold"] = threshold.model_dump(mode="json") | test_values
    return ScoredPredictions(model, test, outputs, pd.DataFrame(columns), bound, details)


def metrics_from_table(columns: Mapping[str, np.ndarray]) -> dict[str, BoundMetric]:
    """The metrics of the columns truth, prediction and loss, and of the probability of the positive class."""
    return metrics.bound_metrics("classification", columns)


def plot(scored: ScoredPredictions, training: TrainingInput) -> Plots:
    """The confusion matrix and the calibration; for images a grid and the worst mistakes, for texts the first.

    For images and a network with convolutions also what its predictions rest on.
    """
    from modelyard.experiments import plots

    description, table = scored.model.description, scored.predictions
    files = {"confusion.png": plots.confusion(table.truth.to_numpy(), table.prediction.to_numpy(), description.classes)}
    files["calibration.png"] = _plot_calibration(scored)
    if len(description.shape) == 3:
        files["first_training_images.png"] = _plot_first_images(scored.model, training.training)
        files["worst_mistakes.png"] = _plot_worst_mistakes(scored)
        if any(layer.kind == "Conv2D" for layer in scored.model.layers):
            files["occlusion.png"] = _plot_occlusions(scored)
    if description.words:
        files["readings.png"] = _plot_first_texts(scored)
    return files


def summarize_targets(samples: Samples, description: InputDescription) -> dict[str, Any]:
    """The number of samples of each class."""
    return class_counts(samples, description)


def prediction_table(predicted: PredictedSamples) -> "pd.DataFrame":
    """The predicted class of each sample and its probability, after the true class where it is known."""
    import pandas as pd

    names = np.array(predicted.description.classes)
    truth = {} if predicted.truth is None else {"truth": names[predicted.truth]}
    prediction, probability = _predictions(predicted)
    return pd.DataFrame(truth | {"class": names[prediction], "probability": probability})


def plot_predictions(predicted: PredictedSamples) -> "Figure":
    """Texts or images titled by the predicted class, in red where the true class is known to differ."""
    from modelyard.experiments import plots

    description = predicted.description
    prediction, probabilities = _predictions(predicted)
    truth = prediction if predicted.truth is None else predicted.truth
    classes = [[description.classes[number] for number in side] for side in (truth, prediction)]
    if description.words:
        words = [[description.words[number] for number in row if description.words[number]] for row in predicted.x]
        return plots.readings([plots.Reading(*text) for text in zip(words, *classes, strict=True)])
    titles = [
        (f"{title} ({probability:.1%})", colour)
        for (title, colour), probability in zip(map(plots.prediction_title, *classes), probabilities, strict=True)
    ]
    return plots.titled_images(predicted.x, titles, description.white_level)


def _predictions(predicted: PredictedSamples) -> tuple[np.ndarray, np.ndarray]:
    """The predicted class numbers (n,) and their probabilities (n,)."""
    prediction = predicted_classes(predicted.outputs, predicted.description.threshold)
    return prediction, predicted.outputs[np.arange(len(prediction)), prediction]


def _plot_calibration(scored: ScoredPredictions) -> "Figure":
    """Of two classes, the probability of the positive one; else that of the predicted class."""
    from modelyard.experiments import plots

    truth, outputs, classes = scored.predictions.truth.to_numpy(), scored.outputs, scored.model.description.classes
    if len(classes) == 2:
        return plots.calibration(truth == 1, outputs[:, 1], f"class {classes[1]}", f"class {classes[1]}")
    right = truth == outputs.argmax(axis=1)
    return plots.calibration(right, outputs.max(axis=1), "the predicted class", "right predictions")


def _plot_first_images(model: Model, samples: Samples) -> "Figure":
    from modelyard.experiments import plots

    first = samples.take(np.arange(min(plots.GRID**2, len(samples))))
    prediction = predicted_classes(model.predict(first.x), model.description.threshold)
    return plots.prediction_grid(first.x, first.y, prediction, model.description.classes)


def _plot_worst_mistakes(scored: ScoredPredictions) -> "Figure":
    """The test images whose wrong class the model gave the highest probability."""
    from modelyard.experiments import plots

    table = scored.predictions
    wrong = table[table.truth != table.prediction].sort_values("probability", ascending=False, kind="stable")
    worst = wrong.head(plots.GRID**2)
    return plots.prediction_grid(
        scored.test.x[worst.index],
        worst.truth.to_numpy(),
        worst.prediction.to_numpy(),
        scored.model.description.classes,
    )


def _plot_occlusions(scored: ScoredPredictions) -> "Figure":
    """Of each class a test image that is classified right, the first, and the most confident mistake below it."""
    from modelyard.experiments import plots

    model, table = scored.model, scored.predictions
    rows: list[list[plots.Occlusion | None]] = [[], []]
    for number in range(len(model.description.classes[:OCCLUDED_CLASSES])):
        of_class = table[table.truth == number]
        is_right = of_class.prediction == number
        mistakes = of_class[~is_right].sort_values("probability", ascending=False, kind="stable")
        for row, found in zip(rows, (of_class[is_right], mistakes), strict=True):
            shown = [
                plots.occlude(model.predict, scored.test.x[index], number, int(found.prediction[index]))
                for index in found.index[:1]
            ]
            row.append(shown[0] if shown else None)
    return plots.occlusions(rows, model.description.classes, model.description.white_level)


def _plot_first_texts(scored: ScoredPredictions) -> "Figure":
    """The words of the first test texts, without padding."""
    from modelyard.experiments import plots

    words, classes = scored.model.description.words, scored.model.description.classes
    first = zip(scored.test.x[:TEXTS], scored.predictions.truth, scored.predictions.prediction, strict=False)
    return plots.readings(
        [
            plots.Reading([words[number] for number in row if number], classes[truth], classes[prediction])
            for row, truth, prediction in first
        ]
    )
