"""What was given, with a model's answer to it, as one picture."""

import math

import numpy as np
from matplotlib.figure import Figure

from modelyard.core.errors import ModelyardError
from modelyard.data.inputs import InputDescription
from modelyard.experiments import plots
from modelyard.experiments.plots.style import between, show, verdict
from modelyard.serving.batch import PredictionBatch
from modelyard.serving.images import brightest
from modelyard.serving.predictions import certain_boxes

MOST = plots.GRID**2


def refuse_undrawable(description: InputDescription) -> None:
    """Say it before any work where there will be nothing to draw.

    Raises:
        ModelyardError: the rows are plain numbers.
    """
    if len(description.shape) != 3 and not description.words:
        raise ModelyardError("--show draws images and texts, and this model takes rows of numbers: leave it out")


def draw(given: PredictionBatch, outputs: np.ndarray, description: InputDescription) -> Figure:
    """Up to 16 images titled by class and probability, with the boxes found, or over what was restored; or texts."""
    if description.words:
        return _texts(given, outputs, description)
    if description.task == "detection":
        return _boxes(given, outputs, description)
    if description.task == "reconstruction":
        return plots.reconstructions(description.scaler.apply(given.rows), outputs)
    return _images(given, outputs, description)


def _images(given: PredictionBatch, outputs: np.ndarray, description: InputDescription) -> Figure:
    count = min(MOST, len(given))
    columns = math.ceil(math.sqrt(count))
    lines = math.ceil(count / columns)
    figure = Figure(figsize=(max(2.4, 2 * columns), 2.3 * lines), layout="constrained")
    shares = between(given.rows, 0, brightest(description))
    places = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes in places:
        axes.set_axis_off()
    for axes, image, title in zip(places, shares, _titles(given, outputs, description), strict=False):
        show(axes, image)
        axes.set_title(title[0], color=title[1], fontsize="medium" if len(title[0]) < 18 else "small")
    return figure


def _titles(given: PredictionBatch, outputs: np.ndarray, description: InputDescription) -> list[tuple[str, str]]:
    """Of each row the title and its colour: red where the truth is known and another."""
    if description.task == "regression":
        return [(f"{value:.4g}", plots.RIGHT) for value in outputs]
    told = []
    for truth, prediction, probability in zip(*_verdicts(given, outputs), outputs.max(axis=1), strict=True):
        title, colour = verdict(description.classes[truth], description.classes[prediction])
        told.append((f"{title} ({probability:.1%})", colour))
    return told


def _texts(given: PredictionBatch, outputs: np.ndarray, description: InputDescription) -> Figure:
    words = [[description.words[number] for number in row if description.words[number]] for row in given.rows]
    classes = [[description.classes[number] for number in side] for side in _verdicts(given, outputs)]
    return plots.readings([plots.Reading(*each) for each in zip(words, *classes, strict=True)])


def _boxes(given: PredictionBatch, outputs: np.ndarray, description: InputDescription) -> Figure:
    found = certain_boxes(outputs, description)
    each = [found.take(np.flatnonzero(found.image == number)) for number in range(len(given))]
    drawn = [np.column_stack([boxes.label, boxes.box, boxes.score]) for boxes in each]
    truth = np.zeros((len(given), 0, 5)) if given.truth is None else given.truth
    return plots.detections(given.rows, truth, drawn, description.classes)


def _verdicts(given: PredictionBatch, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """True and predicted classes (n,); where the truth is not known, what was predicted stands for it."""
    predicted = outputs.argmax(axis=1)
    return predicted if given.truth is None else given.truth, predicted
