"""What the classification of an image rests on: parts of it are covered, and the evidence for its class is compared."""

from collections.abc import Callable, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from modelyard.experiments.plots.style import NO_TICKS, draw_image, prediction_title, rescale

PATCH = 4  # a patch has this part of height and width; patches overlap by half
SMALLEST = 1e-7  # probability: in float32, log-odds beyond it are noise
WIDTH, HEIGHT = 1.3, 1.75  # inches of an image with its title
LONG = 12  # letters
LEGEND = "Red: covering it weakens the evidence for the predicted class. Blue: it strengthens the evidence."


class Occlusion(NamedTuple):
    """An image (height, width, channels), its true and predicted class, and the map (height, width) of the evidence."""

    image: np.ndarray
    truth: int
    prediction: int
    evidence: np.ndarray


def occlude(predict: Callable[[np.ndarray], np.ndarray], image: np.ndarray, truth: int, prediction: int) -> Occlusion:
    """Measure how much evidence for the predicted class goes when parts of an image are covered by its median colour.

    Evidence is the logarithm of the odds against the most probable other class. The value of a pixel is the mean over
    the patches that cover it.

    Args:
        predict: Returns the probabilities (n, classes) of images (n, height, width, channels).
        image: The image (height, width, channels).
        truth: Its true class.
        prediction: Its predicted class.
    """
    patches = list(product(*(_slices(size) for size in image.shape[:2])))
    covered = np.repeat(image[np.newaxis], len(patches) + 1, axis=0)
    colour = np.median(image, axis=(0, 1)).astype(image.dtype)
    for copy, (rows, columns) in zip(covered[1:], patches, strict=True):
        copy[rows, columns] = colour
    logarithms = np.log(np.clip(predict(covered).astype(np.float64), SMALLEST, 1))
    evidence = logarithms[:, prediction] - np.delete(logarithms, prediction, axis=1).max(axis=1)
    total, count = np.zeros(image.shape[:2]), np.zeros(image.shape[:2])
    for loss, (rows, columns) in zip(evidence[0] - evidence[1:], patches, strict=True):
        total[rows, columns] += loss
        count[rows, columns] += 1
    return Occlusion(image, truth, prediction, total / count)


def occlusions(rows: Sequence[Sequence[Occlusion | None]], classes: tuple[str, ...], white: float) -> Figure:
    """Rows of images of values up to `white`, in grey under their maps, each on a scale of its own; None for a gap."""
    columns = max(map(len, rows))
    figure = Figure(figsize=(max(5.0, WIDTH * columns), HEIGHT * len(rows) + 0.3), layout="constrained")
    figure.suptitle(LEGEND, fontsize="small")
    for row, all_axes in zip(
        rows, figure.subplots(len(rows), columns, squeeze=False, subplot_kw=NO_TICKS), strict=True
    ):
        for axes, shown in zip(all_axes, row, strict=True):
            axes.set_axis_off()
            if shown is None:
                continue
            draw_image(axes, rescale(shown.image.mean(axis=-1, keepdims=True), 0, white))
            strength = shown.evidence / (np.abs(shown.evidence).max() or 1)
            axes.imshow(strength, cmap="coolwarm", vmin=-1, vmax=1, alpha=0.75 * np.abs(strength))
            title, colour = prediction_title(classes[shown.truth], classes[shown.prediction])
            axes.set_title(title, color=colour, fontsize="small" if len(title) < LONG else "xx-small")
    return figure


def _slices(size: int) -> list[slice]:
    """Overlapping parts of a side, the last at its end."""
    patch = max(1, size // PATCH)
    starts = [*range(0, size - patch, max(1, patch // 2)), size - patch]
    return [slice(start, start + patch) for start in starts]
