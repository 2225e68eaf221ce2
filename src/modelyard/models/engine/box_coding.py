"""How a single-shot detector's grid of cells stands for boxes: targets, loss, and boxes read from outputs.

A cell's numbers are objectness, the centre within the cell and the size of the box in the image, then the classes; all
lie between 0 and 1. Source: Redmon et al., You Only Look Once, https://arxiv.org/abs/1506.02640, with one box per cell.
"""

from typing import Any

import numpy as np

from modelyard.metrics.detection import Boxes, non_maximum_suppression

BOX_NUMBERS = 5  # objectness, centre x, centre y, width, height
BOX_WEIGHT = 5.0  # of the squared errors of a box against the two cross-entropies, as in the paper
SMALLEST_PROBABILITY = 1e-7  # as Keras clips
DUPLICATE = 0.4  # intersection over union above which two boxes are taken for the same thing


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
