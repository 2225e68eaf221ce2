"""The first convolution: its kernels, and its feature maps of one image."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from modelyard.experiments.plots.style import contact_sheet, draw_image, rescale

COLUMNS = 8
MOST_FILTERS, MOST_MAPS = 64, 32
BRIGHTEST = 0.995  # quantile drawn white: a few much brighter pixels would leave all others dark


def filters(weights: np.ndarray) -> Figure:
    """Up to 64 kernels (height, width, channels, filters) on one scale, in which mid-grey is 0.

    Those of 3 channels are drawn in colour, others as the mean of their channels.
    """
    kernels = np.moveaxis(weights, -1, 0)[:MOST_FILTERS]
    limit = np.abs(kernels).max()
    sheet = contact_sheet(rescale(kernels, -limit, limit), COLUMNS)
    figure = Figure(figsize=(7, 0.7 + 5.6 * sheet.shape[0] / sheet.shape[1]), layout="constrained")
    axes = figure.add_subplot()
    draw_image(axes, sheet)
    _frame(axes, len(kernels), kernels.shape[1:3])
    figure.colorbar(ScalarMappable(Normalize(-limit, limit), "gray"), ax=axes, label="weight")
    return figure


def _frame(axes: Axes, count: int, size: tuple[int, int]) -> None:
    """Draw the edge of each kernel, since its white weights would merge into the white background."""
    height, width = size
    for number in range(count):
        row, column = divmod(number, COLUMNS)
        corner = (column * (width + 1) - 0.5, row * (height + 1) - 0.5)
        axes.add_patch(Rectangle(corner, width, height, fill=False, edgecolor="dimgrey", linewidth=0.8, clip_on=False))


def feature_maps(image: np.ndarray, maps: np.ndarray) -> Figure:
    """An image (height, width, channels) beside up to 32 maps (height, width, filters) of it, on one scale.

    The brightest half percent of the pixels is clipped to white.
    """
    shown = np.moveaxis(maps, -1, 0)[:MOST_MAPS, ..., np.newaxis]
    low, high = shown.min(), np.quantile(shown, BRIGHTEST)
    sheet = contact_sheet(rescale(shown, low, high), COLUMNS)
    figure = Figure(figsize=(10, 0.6 + 7 * sheet.shape[0] / sheet.shape[1]), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 4))
    draw_image(left, rescale(image, image.min(), image.max()))
    draw_image(right, sheet)
    figure.colorbar(ScalarMappable(Normalize(low, high), "gray"), ax=right, label="activation", extend="max")
    return figure
