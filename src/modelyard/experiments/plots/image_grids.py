"""Images in a grid: with predictions, with their reconstructions, or on one sheet."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from modelyard.experiments.plots.style import DPI, GRID, contact_sheet, draw_image, grid, prediction_title, rescale

RESTORED = 10
WIDTH = 1600  # pixels of a sheet; at least half of them are used
LONG_TITLE = 18  # letters


def prediction_grid(images: np.ndarray, truth: np.ndarray, prediction: np.ndarray, classes: tuple[str, ...]) -> Figure:
    """Up to 16 images titled by their predicted class, in black where it is right; else 'truth/prediction' in red."""
    figure, all_axes = grid(len(images))
    for axes, image, true, predicted in zip(all_axes, images, truth, prediction, strict=False):
        axes.imshow(image.squeeze(), cmap="gray")
        title, colour = prediction_title(classes[true], classes[predicted])
        axes.set_title(title, color=colour, fontsize=_title_size(title))
    return figure


def titled_images(
    images: np.ndarray, titles: Sequence[tuple[str, str]], white: float, columns: int | None = None
) -> Figure:
    """Images (n, height, width, channels) of values up to `white`, with titles of a text and a colour each.

    Without a number of columns these are up to 16 in a square.
    """
    count = len(images) if columns else min(GRID**2, len(images))
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    figure = Figure(figsize=(max(2.4, 2 * columns), 2.3 * rows), layout="constrained")
    all_axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in all_axes:
        axes.set_axis_off()
    for axes, image, (title, colour) in zip(all_axes, rescale(images[:count], 0, white), titles, strict=False):
        draw_image(axes, image)
        axes.set_title(title, color=colour, fontsize=_title_size(title))
    return figure


def reconstructions(originals: np.ndarray, restored: np.ndarray) -> Figure:
    """The first ten images (n, height, width, channels) over their reconstructions, on the scale of the originals."""
    low, high = originals.min(), originals.max()
    pairs = [rescale(images[:RESTORED], low, high) for images in (originals, restored)]
    figure = Figure(figsize=(1.1 * len(pairs[0]) + 1, 2.6), layout="constrained")
    all_axes = figure.subplots(2, len(pairs[0]), squeeze=False)
    for row, name, images in zip(all_axes, ("original", "restored"), pairs, strict=True):
        for axes, image in zip(row, images, strict=True):
            draw_image(axes, image)
        row[0].text(-0.1, 0.5, name, transform=row[0].transAxes, ha="right", va="center")
    return figure


def image_grid(images: np.ndarray, columns: int) -> Figure:
    """All images (n, height, width, channels) row by row on one sheet, each pixel a square of whole pixels."""
    sheet = contact_sheet(rescale(images, images.min(), images.max()), columns)
    height, width = max(1, WIDTH // sheet.shape[1]) * np.array(sheet.shape[:2])
    figure = Figure(figsize=(width / DPI, height / DPI))
    draw_image(figure.add_axes((0, 0, 1, 1)), sheet)
    return figure


def _title_size(title: str) -> str:
    return "medium" if len(title) < LONG_TITLE else "small"
