"""Single-shot detector: the map is halved a few times, and each cell of what is left says whether it holds a centre.

A cell's numbers are objectness, the centre within the cell and the size of the box in the canvas, then the classes; all
lie between 0 and 1. Source: Redmon et al., You Only Look Once, https://arxiv.org/abs/1506.02640, with one box a cell.
"""

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from modelyard.config import Settings as Base
from modelyard.detection import Boxes, non_maximum_suppression
from modelyard.errors import ModelyardError
from modelyard.models.output import Output
from modelyard.rows import Task

TASKS: tuple[Task, ...] = ("detection",)
BOX_NUMBERS = 5  # objectness, centre x, centre y, width, height
BOX_WEIGHT = 5.0  # of the squared errors of a box against the two cross-entropies, as in the paper
SMALLEST_PROBABILITY = 1e-7  # as Keras clips
DUPLICATE = 0.4  # intersection over union above which two boxes are taken for the same thing

Count = Annotated[int, Field(ge=1)]


class Settings(Base):
    """Hyperparameters of a small single-shot detector."""

    family: Literal["detector"]
    filters: Annotated[
        tuple[Count, ...], Field(min_length=1, description="of each convolution that halves height and width")
    ]
    context: tuple[Count, ...] = Field(default=(), description="filters of each convolution on the cells")
    kernel_size: Count = Field(default=3, description="of every convolution")


def build(scaled: Any, output: Output, settings: Settings) -> Any:
    """Connect scaled images (n, height, width, channels) to cells (n, rows, columns, output.units).

    Raises:
        ModelyardError: the input is no image, or cannot be halved as often as there are filters.
    """
    from keras import layers

    _refuse_what_cannot_be_halved(scaled.shape, settings)
    tensor = scaled
    for filters in settings.filters:
        tensor = layers.Conv2D(filters, settings.kernel_size, strides=2, padding="same", activation="relu")(tensor)
    for filters in settings.context:
        tensor = layers.Conv2D(filters, settings.kernel_size, padding="same", activation="relu")(tensor)
    box = layers.Conv2D(BOX_NUMBERS, 1, activation="sigmoid", dtype="float32", name="box")(tensor)
    classes = layers.Conv2D(output.units - BOX_NUMBERS, 1, activation="softmax", dtype="float32", name="class")(tensor)
    return layers.Concatenate(dtype="float32", name="cells")([box, classes])


def encode(boxes: np.ndarray, shape: tuple[int, ...], classes: int, cells: tuple[int, int]) -> np.ndarray:
    """What the network should give for boxes: float32 cells (n, rows, columns, 5 + classes), zeros where nothing is.

    Where the centres of two boxes share a cell, the cell learns the later one: it has room for one answer only. The
    earlier one stays in the truth that the network is judged by, and counts as missed.

    Args:
        boxes: class, left, top, right, bottom in pixels (n, most, 5); class -1 where there is none.
        shape: height and width of the images, and whatever follows.
        classes: number of classes.
        cells: rows and columns.
    """
    image, place = np.nonzero(boxes[..., 0] >= 0)
    label, starts, ends = np.split(boxes[image, place], [1, 3], axis=1)
    size = np.array(shape[1::-1])
    across_and_down = (starts + ends) / 2 / size * cells[::-1]
    column, row = cell = np.minimum(across_and_down.astype(int), np.array(cells[::-1]) - 1).T
    targets = np.zeros((len(boxes), *cells, BOX_NUMBERS + classes), dtype=np.float32)
    named = np.eye(classes)[label[:, 0].astype(int)]
    found = np.ones((len(image), 1))
    targets[image, row, column] = np.hstack([found, across_and_down - cell.T, (ends - starts) / size, named])
    return targets


def loss(truth: Any, predicted: Any) -> Any:
    """Loss of each image (n,): objectness of all cells, box and class of those that hold a centre."""
    from keras import losses, ops

    holds = truth[..., 0]
    certain = losses.binary_crossentropy(truth[..., :1], predicted[..., :1])
    placed = ops.sum(ops.square(truth[..., 1:BOX_NUMBERS] - predicted[..., 1:BOX_NUMBERS]), axis=-1)
    of_truth = ops.sum(truth[..., BOX_NUMBERS:] * predicted[..., BOX_NUMBERS:], axis=-1)
    named = -ops.log(ops.maximum(of_truth, SMALLEST_PROBABILITY))
    return ops.sum(certain + holds * (BOX_WEIGHT * placed + named), axis=(1, 2))


def decode(cells: np.ndarray, shape: tuple[int, ...], score_threshold: float = 0.05) -> Boxes:
    """The boxes that cells (n, rows, columns, 5 + classes) tell of, in pixels, image by image, the most certain first.

    A box's score is objectness times the probability of its likeliest class. Boxes that overlap by more than DUPLICATE
    are one thing, whatever their classes: the most certain stays.

    Args:
        cells: what the network gives.
        shape: height and width of the images, and whatever follows.
        score_threshold: the least score of a box.
    """
    scores = cells[..., 0] * cells[..., BOX_NUMBERS:].max(axis=-1)
    image, row, column = np.nonzero(scores >= score_threshold)
    each = cells[image, row, column].astype(np.float64)
    size = np.array(shape[1::-1])
    centre = (np.stack([column, row], axis=1) + each[:, 1:3]) / cells.shape[2:0:-1] * size
    half = each[:, 3:BOX_NUMBERS] * size / 2
    box = np.hstack([np.maximum(centre - half, 0), np.minimum(centre + half, size)])
    label = each[:, BOX_NUMBERS:].argmax(axis=1)
    return _without_duplicates(Boxes(image, label, box, scores[image, row, column].astype(np.float64)))


def _without_duplicates(boxes: Boxes) -> Boxes:
    """Of boxes in the order of their images, those that no more certain one of the same image hides."""
    starts = np.flatnonzero(np.diff(boxes.image, prepend=-1))
    kept = [
        which[non_maximum_suppression(boxes.box[which], boxes.score[which], DUPLICATE)]
        for which in np.split(np.arange(len(boxes.image)), starts[1:])
    ]
    return boxes.take(np.concatenate(kept))


def _refuse_what_cannot_be_halved(shape: tuple, settings: Settings) -> None:
    if len(shape) != 4:
        raise ModelyardError(
            f"family detector needs images (height, width, channels); this input has rows of shape {shape[1:]}"
        )
    cell = 2 ** len(settings.filters)
    if shape[1] % cell or shape[2] % cell:
        raise ModelyardError(
            f"filters {list(settings.filters)} halve the images {len(settings.filters)} times, and {shape[1]} x "
            f"{shape[2]} pixels do not divide by {cell}: take fewer filters or another size of the images"
        )
