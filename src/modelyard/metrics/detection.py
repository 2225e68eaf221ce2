"""Detection metrics: found boxes against the true ones, counted as COCO does (https://cocodataset.org)."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

OVERLAP = 0.5  # smallest intersection over union of a true positive
CERTAIN = 0.5  # smallest score of a box that counts where a metric needs one threshold
RECALLS = np.linspace(0, 1, 101)  # where COCO samples the precision


class Boxes(NamedTuple):
    """Boxes of many images: entry k of each array belongs to box k.

    Attributes:
        image: Image number (n,).
        label: Class number (n,).
        box: Left, top, right, bottom (n, 4), in pixels.
        score: Confidence (n,), from 0 to 1.
    """

    image: np.ndarray
    label: np.ndarray
    box: np.ndarray
    score: np.ndarray

    def take(self, indices: np.ndarray) -> "Boxes":
        """Return the boxes at these indices, in this order."""
        return Boxes(*(column[indices] for column in self))


@dataclass(frozen=True)
class Matches:
    """Found boxes, the highest score first, and whether each is a true positive: `hit` (n,)."""

    images: int
    truth: Boxes
    found: Boxes
    hit: np.ndarray


class Curve(NamedTuple):
    """Recall and precision (n,) of one class, from the highest score to the lowest, and the average precision."""

    recall: np.ndarray
    precision: np.ndarray
    average_precision: float


class Counts(NamedTuple):
    """Numbers of true positives, false positives and false negatives."""

    true_positives: int
    false_positives: int
    false_negatives: int


def true_boxes(targets: np.ndarray) -> Boxes:
    """Read boxes from targets (images, most, 5): class, left, top, right, bottom; class -1 where there is none."""
    image, slot = np.nonzero(targets[..., 0] >= 0)
    rows = targets[image, slot].astype(np.float64)
    return Boxes(image, rows[:, 0].astype(np.int64), rows[:, 1:], np.ones(len(image)))


def iou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Compute the intersection over union (n, m) of boxes (n, 4) and others (m, 4); 0 where both have no area."""
    first, second = boxes[:, np.newaxis], others[np.newaxis]
    sides = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    shared = np.prod(np.maximum(sides, 0), axis=-1)
    return _share(shared, _area(first) + _area(second) - shared)


def non_maximum_suppression(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """Return the indices of the boxes to keep, the highest score first.

    A kept box removes those with a lower score that overlap it by more than the threshold.

    Args:
        boxes: Left, top, right, bottom (n, 4).
        scores: Confidence of each box (n,).
        threshold: Intersection over union.
    """
    overlaps = iou(boxes, boxes) > threshold
    candidates = np.argsort(-scores, kind="stable")
    kept = []
    while len(candidates):
        kept.append(candidates[0])
        candidates = candidates[1:][~overlaps[candidates[0], candidates[1:]]]
    return np.array(kept, dtype=np.int64)


def match(targets: np.ndarray, found: Boxes, overlap: float = OVERLAP) -> Matches:
    """Match found boxes to true ones of the same image and class, the highest score first; a true box matches once.

    Args:
        targets: True boxes (images, most, 5), as `true_boxes` takes them.
        found: Found boxes, in any order.
        overlap: Smallest intersection over union of a true positive.

    Source: pycocotools.cocoeval.COCOeval.evaluateImg.
    """
    truth = true_boxes(targets)
    found = found.take(np.lexsort((found.image, -found.score)))
    hit = np.zeros(len(found.score), dtype=bool)
    true = _by_image_and_label(truth)
    for key, indices in _by_image_and_label(found).items():
        hit[indices] = _hits(iou(found.box[indices], truth.box[true.get(key, [])]), overlap)
    return Matches(len(targets), truth, found, hit)


def precision_recall(matches: Matches, label: int) -> Curve:
    """Compute a class's recall and its highest precision at that recall or above; zeros without true boxes."""
    once_each = np.ones((1, matches.images), dtype=np.int64)
    recall, precision = _curves(matches, label, once_each)
    return Curve(recall[0], precision[0], _average(recall[0], precision[0]))


def average_precision(matches: Matches, label: int) -> float:
    """Compute the mean of a class's precision at 101 recalls; 0 without true boxes.

    Source: pycocotools.cocoeval.COCOeval.accumulate.
    """
    return precision_recall(matches, label).average_precision


def counts(matches: Matches, label: int, certain: float = CERTAIN) -> Counts:
    """Count a class's true and false positives with at least the score `certain`, and its false negatives."""
    hit = matches.hit[(matches.found.label == label) & (matches.found.score >= certain)]
    true = int(np.sum(matches.truth.label == label))
    return Counts(int(hit.sum()), int((~hit).sum()), true - int(hit.sum()))


def of_images(formula: Callable[[Matches, np.ndarray], np.ndarray], matches: Matches) -> Callable[..., np.ndarray]:
    """Turn a formula over matches into one over image numbers.

    Whether a box is a hit depends on its image alone, so a resampled image only counts its boxes several times.
    """

    def metric(images: np.ndarray, axis: int = -1) -> np.ndarray:
        drawn = np.moveaxis(images, axis, -1)
        times = [np.bincount(resample, minlength=matches.images) for resample in drawn.reshape(-1, drawn.shape[-1])]
        return formula(matches, np.stack(times)).reshape(drawn.shape[:-1])

    return metric


def mean_average_precisions(matches: Matches, times: np.ndarray) -> np.ndarray:
    """Mean average precision (b,) of b resamples; `times` (b, images) is how often each image counts."""
    total, occurring = np.zeros(len(times)), np.zeros(len(times))
    for label in np.unique(matches.truth.label):
        total += [_average(*curve) for curve in zip(*_curves(matches, label, times), strict=True)]
        occurring += _true(matches, label, times) > 0
    return _share(total, occurring)


def precisions(matches: Matches, times: np.ndarray) -> np.ndarray:
    """Precision (b,) over the boxes of all classes; `times` as in `mean_average_precisions`."""
    found, hits = _certain(matches, times)
    return _share(hits, found)


def recalls(matches: Matches, times: np.ndarray) -> np.ndarray:
    """Recall (b,) over the boxes of all classes; `times` as in `mean_average_precisions`."""
    _, hits = _certain(matches, times)
    return _share(hits, times[:, matches.truth.image].sum(axis=1))


def _certain(matches: Matches, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of boxes with at least the score CERTAIN, and of the true positives among them (b,)."""
    certain = matches.found.score >= CERTAIN
    found = times[:, matches.found.image[certain]]
    return found.sum(axis=1), found @ matches.hit[certain]


def _curves(matches: Matches, label: int, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Recall, and the highest precision at that recall or above (b, found boxes of the class)."""
    of_class = matches.found.label == label
    found = times[:, matches.found.image[of_class]]
    hits = np.cumsum(found * matches.hit[of_class], axis=1)
    recall = _share(hits, _true(matches, label, times)[:, np.newaxis])
    precision = _share(hits, np.cumsum(found, axis=1))
    return recall, np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]


def _average(recall: np.ndarray, precision: np.ndarray) -> float:
    return float(np.append(precision, 0.0)[np.searchsorted(recall, RECALLS)].mean())


def _true(matches: Matches, label: int, times: np.ndarray) -> np.ndarray:
    """Number of true boxes of a class (b,)."""
    count: np.ndarray = times[:, matches.truth.image[matches.truth.label == label]].sum(axis=1)
    return count


def _by_image_and_label(boxes: Boxes) -> dict[tuple[int, int], list[int]]:
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, key in enumerate(zip(boxes.image.tolist(), boxes.label.tolist(), strict=True)):
        groups[key].append(index)
    return groups


def _hits(overlaps: np.ndarray, smallest: float) -> np.ndarray:
    """Whether each found box, the highest score first, gets one of the true boxes; overlaps (found, true)."""
    hit = np.zeros(len(overlaps), dtype=bool)
    free = overlaps.copy()
    for index in range(len(free) if free.size else 0):
        best = free.shape[1] - 1 - free[index, ::-1].argmax()  # the last of equals, as COCO does
        hit[index] = free[index, best] >= smallest
        if hit[index]:
            free[:, best] = -1
    return hit


def _area(boxes: np.ndarray) -> np.ndarray:
    area: np.ndarray = np.prod(boxes[..., 2:] - boxes[..., :2], axis=-1)
    return area


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Divide part by whole; 0 where whole is 0."""
    zeros = np.zeros(np.broadcast_shapes(part.shape, whole.shape))
    share: np.ndarray = np.divide(part, whole, out=zeros, where=whole > 0)
    return share
