"""The first convolution: what it looks for, and what it finds."""

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from modelyard.figures.style import between, sheet, show

COLUMNS = 8
MOST_FILTERS, MOST_MAPS = 64, 32


def filters(weights: np.ndarray) -> Figure:
    """Up to 64 kernels (height, width, channels, filters) on one scale, in which mid-grey is 0.

    Those of 3 channels are drawn in colour, others as the mean of their channels.
    """
    kernels = np.moveaxis(weights, -1, 0)[:MOST_FILTERS]
    if kernels.shape[-1] != 3:
        kernels = kernels.mean(axis=-1, keepdims=True)
    limit = np.abs(kernels).max()
    laid = sheet(between(kernels, -limit, limit), COLUMNS)
    figure = Figure(figsize=(7, 1.2 + 5.6 * laid.shape[0] / laid.shape[1]), layout="constrained")
    axes = figure.add_subplot()
    show(axes, laid)
    figure.colorbar(ScalarMappable(Normalize(-limit, limit), "gray"), ax=axes, label="weight")
    return figure


def feature_maps(image: np.ndarray, maps: np.ndarray) -> Figure:
    """An image (height, width, channels) beside up to 32 maps (height, width, filters) of it, on one scale."""
    shown = np.moveaxis(maps, -1, 0)[:MOST_MAPS, ..., np.newaxis]
    low, high = shown.min(), shown.max()
    laid = sheet(between(shown, low, high), COLUMNS)
    figure = Figure(figsize=(10, 0.8 + 7 * laid.shape[0] / laid.shape[1]), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 4))
    show(left, between(image, image.min(), image.max()))
    show(right, laid)
    figure.colorbar(ScalarMappable(Normalize(low, high), "gray"), ax=right, label="activation")
    return figure
