"""Predictions against targets: the confusion of classes, and predicted against true values."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure

from modelyard.experiments.plots.style import COLOURS

MOST_NUMBERED = 20  # classes; with more, the counts would be too small to read
LARGEST = 11.0  # inches


def confusion(truth: np.ndarray, prediction: np.ndarray, classes: tuple[str, ...]) -> Figure:
    """The confusion matrix: true classes in rows, predicted ones in columns, coloured by the share of the row.

    With more than 20 classes only the colours are shown, with small shares lightened so that they can be seen.
    """
    counts = np.zeros((len(classes), len(classes)), dtype=int)
    np.add.at(counts, (truth, prediction), 1)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    few = len(classes) <= MOST_NUMBERED
    size = 2.5 + 0.55 * len(classes) if few else LARGEST
    figure = Figure(figsize=(size + 1, size), layout="constrained")
    axes = figure.add_subplot(xlabel="predicted class", ylabel="true class")
    image = axes.imshow(share, cmap="cividis", norm=Normalize(0, 1) if few else PowerNorm(0.5, 0, 1))
    axes.set_xticks(range(len(classes)), classes, rotation=45 if few else 90, ha="right" if few else "center")
    axes.set_yticks(range(len(classes)), classes)
    axes.tick_params(labelsize="small" if few else "medium")
    if few:
        _write_counts(axes, counts, share)
    figure.colorbar(image, label="share of the true class")
    return figure


def _write_counts(axes: Axes, counts: np.ndarray, share: np.ndarray) -> None:
    for row, column in np.argwhere(counts):
        colour = "black" if share[row, column] > 0.5 else "white"
        axes.text(column, row, counts[row, column], ha="center", va="center", color=colour, fontsize="small")


def predicted_against_true(truth: np.ndarray, prediction: np.ndarray) -> Figure:
    """Each test sample as a point; on the line the prediction is exact."""
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.add_subplot(xlabel="true value", ylabel="predicted value")
    low, high = min(truth.min(), prediction.min()), max(truth.max(), prediction.max())
    axes.plot([low, high], [low, high], color="grey", linewidth=1, label="exact")
    axes.scatter(truth, prediction, color=COLOURS["train"], s=18, alpha=0.7, label="test samples")
    axes.legend(frameon=False)
    return figure
