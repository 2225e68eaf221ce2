"""Images: as a model took them, as it restored them, as it made them."""

import numpy as np
from matplotlib.figure import Figure

from modelyard.experiments.plots.style import DPI, between, grid, sheet, show, verdict

RESTORED = 10
WIDTH = 1600  # pixels of a sheet, at least half of them used


def prediction_grid(images: np.ndarray, truth: np.ndarray, prediction: np.ndarray, classes: tuple[str, ...]) -> Figure:
    """Up to 16 images titled by their predicted class, in black where it is right; else 'truth/prediction' in red."""
    figure, places = grid(len(images))
    for axes, image, true, predicted in zip(places, images, truth, prediction, strict=False):
        axes.imshow(image.squeeze(), cmap="gray")
        title, colour = verdict(classes[true], classes[predicted])
        axes.set_title(title, color=colour, fontsize="medium" if len(title) < 18 else "small")
    return figure


def reconstructions(originals: np.ndarray, restored: np.ndarray) -> Figure:
    """The first ten images (n, height, width, channels) over what was made of them, on the scale of the originals."""
    low, high = originals.min(), originals.max()
    pairs = [between(images[:RESTORED], low, high) for images in (originals, restored)]
    figure = Figure(figsize=(1.1 * len(pairs[0]) + 1, 2.6), layout="constrained")
    axes = figure.subplots(2, len(pairs[0]), squeeze=False)
    for line, name, images in zip(axes, ("original", "restored"), pairs, strict=True):
        for place, image in zip(line, images, strict=True):
            show(place, image)
        line[0].text(-0.1, 0.5, name, transform=line[0].transAxes, ha="right", va="center")
    return figure


def image_grid(images: np.ndarray, columns: int) -> Figure:
    """All images (n, height, width, channels) row by row on one sheet, each pixel a square of whole pixels."""
    laid = sheet(between(images, images.min(), images.max()), columns)
    height, width = max(1, WIDTH // laid.shape[1]) * np.array(laid.shape[:2])
    figure = Figure(figsize=(width / DPI, height / DPI))
    show(figure.add_axes((0, 0, 1, 1)), laid)
    return figure
