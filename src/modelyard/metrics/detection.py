"""Boxes found in images: how well they fit the true ones, counted as COCO counts (https://cocodataset.org)."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

OVERLAP = 0.5  # the least intersection over union of a hit
CERTAIN = 0.5  # the least score of a box that is counted where one threshold must do
RECALLS = np.linspace(0, 1, 101)  # where COCO reads the precision off


class Boxes(NamedTuple):
    """Boxes of many images: entry k of each array belongs to box k.

    `image` (n,) and `label` (n,) are numbers of images and classes; `box` (n, 4) is left, top, right, bottom in pixels;
    `score` (n,) is how sure the finder is, from 0 to 1.
    """

    image: np.ndarray
    label: np.ndarray
    box: np.ndarray
    score: np.ndarray

    def take(self, which: np.ndarray) -> "Boxes":
        """The boxes at these indices, in this order."""
        return Boxes(*(column[which] for column in self))


@dataclass(frozen=True)
class Matches:
    """Found boxes, the most certain first, and whether each hits a true box (n,)."""

    images: int
    truth: Boxes
    found: Boxes
    hit: np.ndarray


class Curve(NamedTuple):
    """Recall and precision (n,) of one class, from the most certain found box to the least, and the average."""

    recall: np.ndarray
    precision: np.ndarray
    average_precision: float


class Counts(NamedTuple):
    """What became of the found and of the true boxes."""

    true_positives: int
    false_positives: int
    false_negatives: int


def true_boxes(targets: np.ndarray) -> Boxes:
    """The boxes of targets (images, most, 5): class, left, top, right, bottom; class -1 where there is none."""
    image, place = np.nonzero(targets[..., 0] >= 0)
    each = targets[image, place].astype(np.float64)
    return Boxes(image, each[:, 0].astype(np.int64), each[:, 1:], np.ones(len(image)))


def iou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union (n, m) of boxes (n, 4) and others (m, 4); 0 where both have no area."""
    first, second = boxes[:, np.newaxis], others[np.newaxis]
    sides = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    shared = np.prod(np.maximum(sides, 0), axis=-1)
    return _share(shared, _area(first) + _area(second) - shared)


def non_maximum_suppression(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """Indices of the boxes to keep, the most certain first: each drops those that overlap it by more than threshold.

    Args:
        boxes: left, top, right, bottom (n, 4).
        scores: how sure each is (n,).
        threshold: an intersection over union.
    """
    overlaps = iou(boxes, boxes) > threshold
    waiting = np.argsort(-scores, kind="stable")
    kept = []
    while len(waiting):
        kept.append(waiting[0])
        waiting = waiting[1:][~overlaps[waiting[0], waiting[1:]]]
    return np.array(kept, dtype=np.int64)


def match(targets: np.ndarray, found: Boxes, overlap: float = OVERLAP) -> Matches:
    """Match found boxes to the true ones of their image and class: the most certain chooses first, each once.

    Args:
        targets: true boxes (images, most, 5), as `true_boxes` takes them.
        found: found boxes, in any order.
        overlap: the least intersection over union of a hit.

    Source: pycocotools.cocoeval.COCOeval.evaluateImg.
    """
    truth = true_boxes(targets)
    found = found.take(np.lexsort((found.image, -found.score)))
    hit = np.zeros(len(found.score), dtype=bool)
    true = _by_image_and_label(truth)
    for key, which in _by_image_and_label(found).items():
        hit[which] = _hits(iou(found.box[which], truth.box[true.get(key, [])]), overlap)
    return Matches(len(targets), truth, found, hit)


def precision_recall(matches: Matches, label: int) -> Curve:
    """A class's recall with the best precision at that recall or above; a class without truth has zeros."""
    recall, precision = _curves(matches, label, _once_each(matches))
    return Curve(recall[0], precision[0], _average(recall[0], precision[0]))


def average_precision(matches: Matches, label: int) -> float:
    """Mean of a class's precision at 101 recalls; 0 for a class without truth.

    Source: pycocotools.cocoeval.COCOeval.accumulate.
    """
    return precision_recall(matches, label).average_precision


def counts(matches: Matches, label: int, certain: float = CERTAIN) -> Counts:
    """A class's counts among the found boxes with at least the score `certain`."""
    hit = matches.hit[(matches.found.label == label) & (matches.found.score >= certain)]
    true = int(np.sum(matches.truth.label == label))
    return Counts(int(hit.sum()), int((~hit).sum()), true - int(hit.sum()))


def of_images(formula: Callable[[Matches, np.ndarray], np.ndarray], matches: Matches) -> Callable[..., np.ndarray]:
    """A formula over matches as one over image numbers.

    Which box hits depends on its image alone, so that drawing an image twice only counts its boxes twice."""

    def metric(images: np.ndarray, axis: int = -1) -> np.ndarray:
        drawn = np.moveaxis(images, axis, -1)
        times = [np.bincount(each, minlength=matches.images) for each in drawn.reshape(-1, drawn.shape[-1])]
        return formula(matches, np.stack(times)).reshape(drawn.shape[:-1])

    return metric


def mean_average_precisions(matches: Matches, times: np.ndarray) -> np.ndarray:
    """Mean average precision (b,) where `times` (b, images) says how often each image counts."""
    total, occurring = np.zeros(len(times)), np.zeros(len(times))
    for label in np.unique(matches.truth.label):
        total += [_average(*curve) for curve in zip(*_curves(matches, label, times), strict=True)]
        occurring += _true(matches, label, times) > 0
    return _share(total, occurring)


def precisions(matches: Matches, times: np.ndarray) -> np.ndarray:
    found, hits = _certain(matches, times)
    return _share(hits, found)


def recalls(matches: Matches, times: np.ndarray) -> np.ndarray:
    _, hits = _certain(matches, times)
    return _share(hits, times[:, matches.truth.image].sum(axis=1))


def _certain(matches: Matches, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many boxes are certain, and how many of them are hits (b,)."""
    certain = matches.found.score >= CERTAIN
    found = times[:, matches.found.image[certain]]
    return found.sum(axis=1), found @ matches.hit[certain]


def _curves(matches: Matches, label: int, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Recall, and the best precision at that recall or above (b, found boxes of the class)."""
    mine = matches.found.label == label
    found = times[:, matches.found.image[mine]]
    hits = np.cumsum(found * matches.hit[mine], axis=1)
    recall = _share(hits, _true(matches, label, times)[:, np.newaxis])
    precision = _share(hits, np.cumsum(found, axis=1))
    return recall, np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]


def _average(recall: np.ndarray, precision: np.ndarray) -> float:
    return float(np.append(precision, 0.0)[np.searchsorted(recall, RECALLS)].mean())


def _true(matches: Matches, label: int, times: np.ndarray) -> np.ndarray:
    return times[:, matches.truth.image[matches.truth.label == label]].sum(axis=1)


def _once_each(matches: Matches) -> np.ndarray:
    return np.ones((1, matches.images), dtype=np.int64)


def _by_image_and_label(boxes: Boxes) -> dict[tuple[int, int], list[int]]:
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for place, key in enumerate(zip(boxes.image.tolist(), boxes.label.tolist(), strict=True)):
        groups[key].append(place)
    return groups


def _hits(overlaps: np.ndarray, needed: float) -> np.ndarray:
    """Whether each found box, the most certain first, gets one of the true boxes: overlaps (found, true)."""
    hit = np.zeros(len(overlaps), dtype=bool)
    left = overlaps.copy()
    for place in range(len(left) if left.size else 0):
        best = left.shape[1] - 1 - left[place, ::-1].argmax()  # of equals the last, as COCO has it
        hit[place] = left[place, best] >= needed
        if hit[place]:
            left[:, best] = -1
    return hit


def _area(boxes: np.ndarray) -> np.ndarray:
    return np.prod(boxes[..., 2:] - boxes[..., :2], axis=-1)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, and 0 of nothing."""
    return np.divide(part, whole, out=np.zeros(np.broadcast_shapes(part.shape, whole.shape)), where=whole > 0)
