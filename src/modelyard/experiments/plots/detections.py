"""Images with true and predicted boxes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from modelyard.experiments.plots.style import SKY, YELLOW, grid

FOUND: dict[str, Any] = {"edgecolor": YELLOW, "linewidth": 1.6, "label": "predicted, with class and score"}
TRUE: dict[str, Any] = {"edgecolor": SKY, "linewidth": 1.6, "linestyle": (0, (3, 3)), "label": "true"}
ROOM = 0.09  # of an image's height, needed by a label


def detections(images: np.ndarray, truths: np.ndarray, found: Sequence[np.ndarray], classes: tuple[str, ...]) -> Figure:
    """Up to 16 images with predicted boxes solid, labelled by class and score, and true boxes dashed over them.

    Args:
        images: (n, height, width, channels).
        truths: (n, boxes, 5): class (-1 for no box), left, top, right, bottom in pixels.
        found: for each image (boxes, 6): the same and the score.
        classes: their names.
    """
    figure, all_axes = grid(len(images))
    for axes, image, true, boxes in zip(all_axes, images, truths, found, strict=False):
        axes.imshow(image.squeeze(), cmap="gray", extent=(0, image.shape[1], image.shape[0], 0))
        for number, *corners, score in boxes:
            _draw_box(axes, corners, FOUND)
            _label_box(axes, corners, f"{classes[int(number)]}: {score:.2f}")
        for _, *corners in true[true[:, 0] >= 0]:
            _draw_box(axes, corners, TRUE)
    handles = [Rectangle((0, 0), 1, 1, fill=False, **style) for style in (TRUE, FOUND)]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    return figure


def _draw_box(axes: Axes, corners: Sequence[float], style: dict[str, Any]) -> None:
    left, top, right, bottom = corners
    axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, **style))


def _label_box(axes: Axes, corners: Sequence[float], name: str) -> None:
    """Write above the box, or below it at the top of the image; aligned with its side that is nearer to an edge."""
    left, top, right, bottom = corners
    width, height = axes.get_xlim()[1], axes.get_ylim()[0]
    across, side = (left, "left") if left + right < width else (right, "right")
    down, edge = (top, "bottom") if top > ROOM * height else (bottom, "top")
    backed = {"facecolor": "black", "alpha": 0.6, "pad": 1, "linewidth": 0}
    axes.text(across, down, name, ha=side, va=edge, color=YELLOW, bbox=backed, clip_on=True)
