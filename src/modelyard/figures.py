"""Pictures of one experiment, in one style: colour-blind safe, axes named, the same bytes twice."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from modelyard.metrics import WATCHED
from modelyard.rows import Task

# The notebooks draw yellow, red, blue and green; these are their neighbours that colour-blind eyes tell apart
# (Okabe and Ito, "Color Universal Design", 2008).
COLOURS = {"train loss": "#E69F00", "validation loss": "#D55E00", "train": "#0072B2", "validation": "#009E73"}
RIGHT, WRONG = "black", "#C00000"
DPI = 120
GRID = 4


def save(figure: Figure, path: Path) -> None:
    """Write a picture; without the version of the library, which would change its bytes."""
    figure.savefig(path, dpi=DPI, metadata={"Software": None})


def learning_curve(history: pd.DataFrame, task: Task) -> Figure:
    """Loss on the left axis, accuracy or mean absolute error on the right one, over epochs or trees."""
    metric = WATCHED[task]
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    loss_axes = figure.add_subplot(xlabel="epoch", ylabel="loss")
    metric_axes = loss_axes.twinx()
    metric_axes.set_ylabel(metric)
    marker = "o" if len(history) == 1 else None
    for column, axes, label, colour in (
        ("loss", loss_axes, "train loss", COLOURS["train loss"]),
        ("val_loss", loss_axes, "validation loss", COLOURS["validation loss"]),
        (metric, metric_axes, f"train {metric}", COLOURS["train"]),
        (f"val_{metric}", metric_axes, f"validation {metric}", COLOURS["validation"]),
    ):
        if column in history:
            axes.plot(history["epoch"], history[column], color=colour, label=label, marker=marker)
    if history["loss"].max() > 50 * max(history["loss"].min(), 1e-12):
        loss_axes.set_yscale("log")
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize="small")
    return figure


def confusion(truth: np.ndarray, prediction: np.ndarray, classes: tuple[str, ...]) -> Figure:
    """Counts of each true class (rows) taken for each class (columns), coloured by the share of the row."""
    counts = np.zeros((len(classes), len(classes)), dtype=int)
    np.add.at(counts, (truth, prediction), 1)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = 2.5 + 0.55 * len(classes)
    figure = Figure(figsize=(size + 1, size), layout="constrained")
    axes = figure.add_subplot(xlabel="predicted class", ylabel="true class")
    image = axes.imshow(share, cmap="cividis", vmin=0, vmax=1)
    axes.set_xticks(range(len(classes)), classes, rotation=45, ha="right", fontsize="small")
    axes.set_yticks(range(len(classes)), classes, fontsize="small")
    for row, column in np.argwhere(counts):
        colour = "black" if share[row, column] > 0.5 else "white"
        axes.text(column, row, counts[row, column], ha="center", va="center", color=colour, fontsize="small")
    figure.colorbar(image, label="share of the true class")
    return figure


def predicted_against_true(truth: np.ndarray, prediction: np.ndarray) -> Figure:
    """Each test row as a point; on the line the prediction is exact."""
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.add_subplot(xlabel="true value", ylabel="predicted value")
    low, high = min(truth.min(), prediction.min()), max(truth.max(), prediction.max())
    axes.plot([low, high], [low, high], color="grey", linewidth=1, label="exact")
    axes.scatter(truth, prediction, color=COLOURS["train"], s=18, alpha=0.7, label="test rows")
    axes.legend(frameon=False)
    return figure


def prediction_grid(images: np.ndarray, truth: np.ndarray, prediction: np.ndarray, classes: tuple[str, ...]) -> Figure:
    """Up to 16 images titled by their predicted class, in black where it is right; else 'truth / prediction' in red.

    Source: notebook 000, which sets these colours and never passes them on.
    """
    figure = Figure(figsize=(8, 8.6), layout="constrained")
    for axes, image, true, predicted in zip(_grid(figure), images, truth, prediction, strict=False):
        axes.imshow(image.squeeze(), cmap="gray")
        right = true == predicted
        title = classes[predicted] if right else f"{classes[true]}/{classes[predicted]}"
        axes.set_title(title, color=RIGHT if right else WRONG, fontsize="medium" if len(title) < 18 else "small")
    return figure


def _grid(figure: Figure) -> list[Axes]:
    all_axes = list(np.ravel(figure.subplots(GRID, GRID)))
    for axes in all_axes:
        axes.set_axis_off()
    return all_axes
