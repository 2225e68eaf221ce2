"""What all pictures share: colours, how an image is shown, sheets of images, and how a picture is saved."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

# The notebooks draw yellow, red, blue and green; these are their neighbours that colour-blind eyes tell apart
# (Okabe and Ito, "Color Universal Design", 2008).
YELLOW, RED, BLUE, GREEN = "#E69F00", "#D55E00", "#0072B2", "#009E73"
SKY, PURPLE, BLACK = "#56B4E9", "#CC79A7", "#000000"
COLOURS = {"train loss": YELLOW, "validation loss": RED, "train": BLUE, "validation": GREEN}
RIGHT, WRONG = "black", "#C00000"
DPI = 120
GRID = 4  # images across and down
ROW = 2.15  # inches


def save(figure: Figure, path: Path) -> None:
    """Write a picture; without the version of the library, which would change its bytes."""
    figure.savefig(path, dpi=DPI, metadata={"Software": None})


def grid(count: int) -> tuple[Figure, list[Axes]]:
    """A figure of as many rows as so many images need, at most 16, and their places, without axes."""
    rows = min(GRID, max(1, -(-count // GRID)))
    figure = Figure(figsize=(8, ROW * rows), layout="constrained")
    places = list(np.ravel(figure.subplots(rows, GRID)))
    for axes in places:
        axes.set_axis_off()
    return figure, places


def verdict(truth: str, prediction: str) -> tuple[str, str]:
    """What a prediction is titled, and in which colour: the class where it is right, else 'truth/prediction' in red.

    Source: notebook 000, which sets these colours and never passes them on.
    """
    return (prediction, RIGHT) if truth == prediction else (f"{truth}/{prediction}", WRONG)


def between(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Values as shares of the way from `low` (0) to `high` (1), cut there: what matplotlib takes as colours."""
    return np.clip((np.asarray(values, dtype=np.float64) - low) / ((high - low) or 1), 0, 1)


def show(axes: Axes, shares: np.ndarray) -> AxesImage:
    """Draw shares (height, width, channels) in colour for 3 channels, else the mean of the channels in grey."""
    axes.set_axis_off()
    picture = shares if shares.shape[-1] == 3 else shares.mean(axis=-1)
    return axes.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")


def sheet(images: np.ndarray, columns: int, margin: int = 1) -> np.ndarray:
    """Lay shares (n, height, width, channels) out row by row on one white image, `margin` pixels apart."""
    count, height, width, channels = images.shape
    columns = min(columns, count)
    rows = -(-count // columns)
    laid = np.ones((rows * columns, height + margin, width + margin, channels))
    laid[:count, :height, :width] = images
    lines = laid.reshape(rows, columns, height + margin, width + margin, channels).swapaxes(1, 2)
    return lines.reshape(rows * (height + margin), columns * (width + margin), channels)[:-margin, :-margin]
