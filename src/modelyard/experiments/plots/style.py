"""What all plots share: colours, how an image is drawn, contact sheets of images, and how a plot is saved."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.text import Text

# The notebooks draw in yellow, red, blue and green; these are the nearest colours of a palette for colour-blind
# readers (Okabe and Ito, "Color Universal Design", 2008).
YELLOW, RED, BLUE, GREEN = "#E69F00", "#D55E00", "#0072B2", "#009E73"
SKY, PURPLE, BLACK = "#56B4E9", "#CC79A7", "#000000"
COLOURS = {"train loss": YELLOW, "validation loss": RED, "train": BLUE, "validation": GREEN}
RIGHT, WRONG = "black", "#C00000"
DPI = 120
GRID = 4  # images across and down
ROW = 2.15  # inches
NO_TICKS: dict[str, Any] = {"xticks": (), "yticks": ()}  # matplotlib lays out even those of axes that are not drawn


def save(figure: Figure, path: Path) -> None:
    """Write a plot as PNG, its texts as they are: names may have a $, which matplotlib takes for the sign of a formula.

    It is written without matplotlib's version, which would change its bytes.
    """
    for text in figure.findobj(Text):
        text.set_parse_math(False)
    figure.savefig(path, dpi=DPI, metadata={"Software": None})


def grid(count: int) -> tuple[Figure, list[Axes]]:
    """A figure with room for `count` images, at most 16, and the axes to draw them in, with no lines or ticks."""
    rows = min(GRID, max(1, -(-count // GRID)))
    figure = Figure(figsize=(8, ROW * rows), layout="constrained")
    all_axes = list(np.ravel(figure.subplots(rows, GRID, subplot_kw=NO_TICKS)))
    for axes in all_axes:
        axes.set_axis_off()
    return figure, all_axes


def prediction_title(truth: str, prediction: str) -> tuple[str, str]:
    """The title of a prediction and its colour: the class in black where it is right, else 'truth/prediction' in red.

    Source: notebook 000, which defines these colours but does not use them.
    """
    return (prediction, RIGHT) if truth == prediction else (f"{truth}/{prediction}", WRONG)


def rescale(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Map values from [low, high] to [0, 1], clipped: what matplotlib takes as colours."""
    return np.clip((np.asarray(values, dtype=np.float64) - low) / ((high - low) or 1), 0, 1)


def draw_image(axes: Axes, image: np.ndarray) -> AxesImage:
    """Draw an image (height, width, channels) of values in [0, 1]: 3 channels in colour, else their mean in grey."""
    axes.set_axis_off()
    pixels = image if image.shape[-1] == 3 else image.mean(axis=-1)
    return axes.imshow(pixels, cmap="gray", vmin=0, vmax=1, interpolation="nearest")


def contact_sheet(images: np.ndarray, columns: int, margin: int = 1) -> np.ndarray:
    """Lay images (n, height, width, channels) out row by row on one white image, `margin` pixels apart."""
    count, height, width, channels = images.shape
    columns = min(columns, count)
    rows = -(-count // columns)
    laid = np.ones((rows * columns, height + margin, width + margin, channels))
    laid[:count, :height, :width] = images
    lines = laid.reshape(rows, columns, height + margin, width + margin, channels).swapaxes(1, 2)
    return lines.reshape(rows * (height + margin), columns * (width + margin), channels)[:-margin, :-margin]
