"""Encoding of boxes as the grid of cells of a single-shot detector: targets, loss, and decoding of outputs.

A cell holds objectness, the center within the cell, the size of the box relative to the image, then the classes; all
lie between 0 and 1. Source: Redmon et al., You Only Look Once, https://arxiv.org/abs/1506.02640, with one box per cell.
"""

from typing import Any

import numpy as np

from modelyard.metrics.detection import Boxes, non_maximum_suppression

BOX_NUMBERS = 5  # objectness, center x, center y, width, height
BOX_WEIGHT = 5.0  # of the squared errors of a box relative to the two cross-entropies, as in the paper
SMALLEST_PROBABILITY = 1e-7  # as Keras clips
DUPLICATE = 0.4  # intersection over union above which two boxes count as the same object


def encode(boxes: np.ndarray, shape: tuple[int, ...], classes: int, cells: tuple[int, int]) -> np.ndarray:
    """Encode boxes as float32 cells (n, rows, columns, 5 + classes), zeros where there is no box.

    A cell holds one box: where the centers of two boxes share a cell, it is the later one. The earlier one stays in the
    targets of the evaluation and counts as missed.

    Args:
        boxes: Class, left, top, right, bottom in pixels (n, most, 5); class -1 where there is none.
        shape: Shape of the images (height, width, ...).
        classes: Number of classes.
        cells: Number of rows and columns.
    """
    image, slot = np.nonzero(boxes[..., 0] >= 0)
    label, starts, ends = np.split(boxes[image, slot], [1, 3], axis=1)
    size = np.array(shape[1::-1])
    across_and_down = (starts + ends) / 2 / size * cells[::-1]
    column, row = cell = np.minimum(across_and_down.astype(int), np.array(cells[::-1]) - 1).T
    targets = np.zeros((len(boxes), *cells, BOX_NUMBERS + classes), dtype=np.float32)
    one_hot = np.eye(classes)[label[:, 0].astype(int)]
    objectness = np.ones((len(image), 1))
    targets[image, row, column] = np.hstack([objectness, across_and_down - cell.T, (ends - starts) / size, one_hot])
    return targets


def loss(truth: Any, predicted: Any) -> Any:
    """Compute the loss of each image (n,): objectness of all cells, box and class of those that hold a center."""
    from keras import losses, ops

    has_object = truth[..., 0]
    objectness = losses.binary_crossentropy(truth[..., :1], predicted[..., :1])
    box = ops.sum(ops.square(truth[..., 1:BOX_NUMBERS] - predicted[..., 1:BOX_NUMBERS]), axis=-1)
    of_truth = ops.sum(truth[..., BOX_NUMBERS:] * predicted[..., BOX_NUMBERS:], axis=-1)
    classes = -ops.log(ops.maximum(of_truth, SMALLEST_PROBABILITY))
    return ops.sum(objectness + has_object * (BOX_WEIGHT * box + classes), axis=(1, 2))


def decode(cells: np.ndarray, shape: tuple[int, ...], score_threshold: float = 0.05) -> Boxes:
    """Decode cells (n, rows, columns, 5 + classes) to boxes in pixels, image by image, the highest score first.

    A box's score is objectness times the probability of its likeliest class. Of boxes that overlap by more than
    DUPLICATE, the one with the highest score stays, whatever their classes.

    Args:
        cells: Output of the network.
        shape: Shape of the images (height, width, ...).
        score_threshold: Smallest score of a box.
    """
    scores = cells[..., 0] * cells[..., BOX_NUMBERS:].max(axis=-1)
    image, row, column = np.nonzero(scores >= score_threshold)
    values = cells[image, row, column].astype(np.float64)
    size = np.array(shape[1::-1])
    center = (np.stack([column, row], axis=1) + values[:, 1:3]) / cells.shape[2:0:-1] * size
    half = values[:, 3:BOX_NUMBERS] * size / 2
    box = np.hstack([np.maximum(center - half, 0), np.minimum(center + half, size)])
    label = values[:, BOX_NUMBERS:].argmax(axis=1)
    return _without_duplicates(Boxes(image, label, box, scores[image, row, column].astype(np.float64)))


def _without_duplicates(boxes: Boxes) -> Boxes:
    """Non-maximum suppression within each image; the boxes come in the order of their images."""
    starts = np.flatnonzero(np.diff(boxes.image, prepend=-1))
    kept = [
        indices[non_maximum_suppression(boxes.box[indices], boxes.score[indices], DUPLICATE)]
        for indices in np.split(np.arange(len(boxes.image)), starts[1:])
    ]
    return boxes.take(np.concatenate(kept))
