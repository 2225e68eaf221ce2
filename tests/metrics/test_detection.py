"""Detection metrics: against pycocotools, against their definitions, and without boxes."""

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from modelyard import metrics
from modelyard.metrics import detection
from modelyard.metrics.bootstrap import bootstrap_interval
from modelyard.metrics.definitions import bound_detection_metrics
from modelyard.metrics.detection import Boxes, Counts

IMAGES, LABELS, MOST = 12, 3, 5
NO_BOXES = Boxes(np.zeros(0, int), np.zeros(0, int), np.zeros((0, 4)), np.zeros(0))


def targets_of(*images: list[tuple[float, ...]]) -> np.ndarray:
    """Targets (images, most, 5) of lists of (class, left, top, right, bottom)."""
    targets = np.zeros((len(images), max(1, *map(len, images)), 5), dtype=np.float32)
    targets[..., 0] = -1
    for target, boxes in zip(targets, images, strict=True):
        target[: len(boxes)] = np.reshape(boxes, (-1, 5))
    return targets


def found(*boxes: tuple[float, ...]) -> Boxes:
    """Boxes of (image, class, score, left, top, right, bottom)."""
    table = np.array(boxes, dtype=float)
    return Boxes(table[:, 0].astype(int), table[:, 1].astype(int), table[:, 3:], table[:, 2])


def made_up(seed: int, whole_numbers: bool = False) -> tuple[np.ndarray, Boxes]:
    """Random truth, and found boxes that are near it, doubled, missing, of another class, or somewhere else.

    Whole numbers, and scores of one decimal, make ties.
    """
    random = np.random.default_rng(seed)
    targets = np.zeros((IMAGES, MOST, 5))
    targets[..., 0] = random.integers(-1, LABELS, size=(IMAGES, MOST))
    targets[..., 1:3] = random.uniform(0, 40, size=(IMAGES, MOST, 2))
    targets[..., 3:] = targets[..., 1:3] + random.uniform(5, 25, size=(IMAGES, MOST, 2))
    truth = detection.true_boxes(targets)
    near = truth.take(random.integers(len(truth.score), size=2 * len(truth.score)))
    box = near.box + random.normal(0, 3, size=near.box.shape)
    box[:, 2:] = np.maximum(box[:, 2:], box[:, :2] + 1)
    label = np.where(random.random(len(box)) < 0.2, random.integers(LABELS, size=len(box)), near.label)
    score = random.random(len(box))
    if whole_numbers:
        targets, box, score = np.rint(targets), np.rint(box), np.round(score, 1)
    return targets, Boxes(near.image, label, box, score)


# --- against COCO ---


def annotations(boxes: Boxes) -> list[dict]:
    return [
        {
            "id": number + 1,
            "image_id": int(boxes.image[number]) + 1,
            "category_id": int(boxes.label[number]) + 1,
            "bbox": [left, top, right - left, bottom - top],
            "area": (right - left) * (bottom - top),
            "iscrowd": 0,
            "score": float(boxes.score[number]),
        }
        for number, (left, top, right, bottom) in enumerate(boxes.box.tolist())
    ]


def cocos_precisions(targets: np.ndarray, boxes: Boxes) -> np.ndarray:
    """COCO's precision at 101 recalls for each class (101, classes), at an intersection over union of 0.5."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "info": {},
            "images": [{"id": number + 1} for number in range(len(targets))],
            "categories": [{"id": number + 1} for number in range(LABELS)],
            "annotations": annotations(detection.true_boxes(targets)),
        }
        truth.createIndex()
        evaluator = COCOeval(truth, truth.loadRes(annotations(boxes)), "bbox")
        evaluator.params.iouThrs = np.array([0.5])
        evaluator.evaluate()
        evaluator.accumulate()
    return evaluator.eval["precision"][0, :, :, 0, -1]


@pytest.mark.parametrize("whole_numbers", [False, True], ids=["fractions", "whole numbers with ties"])
@pytest.mark.parametrize("seed", range(10))
def test_average_precision_equals_cocos(seed: int, whole_numbers: bool):
    targets, boxes = made_up(seed, whole_numbers)
    matches, precisions = detection.match(targets, boxes), cocos_precisions(targets, boxes)
    ours = [detection.average_precision(matches, label) for label in range(LABELS)]
    assert ours == pytest.approx(precisions.mean(axis=0), abs=1e-6)
    mean_average_precision = bound_detection_metrics(targets, boxes)["mean_average_precision"].value
    assert mean_average_precision == pytest.approx(precisions.mean(), abs=1e-6)
    assert 0 < mean_average_precision < 1


@pytest.mark.parametrize(("first", "second", "hits"), [(0, 6, [True, True]), (6, 0, [True, False])])
def test_the_last_of_two_equally_overlapping_true_boxes_is_matched_as_coco_does(
    first: int, second: int, hits: list[bool]
):
    targets = targets_of([(0, first, 0, first + 10, 10), (0, second, 0, second + 10, 10)])
    boxes = found((0, 0, 0.9, 3, 0, 13, 10), (0, 0, 0.8, 0, 0, 10, 10))
    matches = detection.match(targets, boxes)
    assert matches.hit.tolist() == hits
    assert detection.average_precision(matches, 0) == pytest.approx(cocos_precisions(targets, boxes)[:, 0].mean())


def test_the_precision_recall_curve_equals_cocos_at_its_101_recalls():
    targets, boxes = made_up(seed=3)
    recall, precision, average = detection.precision_recall(detection.match(targets, boxes), label=1)
    theirs = cocos_precisions(targets, boxes)[:, 1]
    reached = recall[-1] >= detection.RECALLS
    read_off = precision[np.searchsorted(recall, detection.RECALLS[reached])]
    np.testing.assert_allclose(read_off, theirs[reached], atol=1e-6)
    assert theirs[~reached].max(initial=0) == 0
    assert average == pytest.approx(theirs.mean(), abs=1e-6)


# --- overlap ---


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ((0, 0, 4, 4), 1),
        ((2, 0, 6, 4), 8 / 24),
        ((1, 1, 3, 3), 4 / 16),
        ((4, 0, 8, 4), 0),
        ((5, 5, 9, 9), 0),
        ((2, 2, 2, 2), 0),
    ],
    ids=["itself", "half beside", "inside", "touching", "apart", "a point"],
)
def test_intersection_over_union_equals_hand_computed_values(other: tuple, expected: float):
    assert detection.iou(np.array([[0, 0, 4, 4]]), np.array([other])) == pytest.approx(np.array([[expected]]))


def test_boxes_without_area_have_iou_0():
    assert detection.iou(np.ones((1, 4)), np.ones((1, 4))).tolist() == [[0]]


corners = st.tuples(*[st.integers(0, 20)] * 2, *[st.integers(1, 20)] * 2)
box_lists = st.lists(corners.map(lambda box: (box[0], box[1], box[0] + box[2], box[1] + box[3])), min_size=1)


@given(box_lists, box_lists)
def test_iou_is_between_0_and_1_and_symmetric(boxes: list, others: list):
    shares = detection.iou(np.array(boxes), np.array(others))
    assert shares.shape == (len(boxes), len(others))
    assert shares.min() >= 0
    assert shares.max() <= 1
    np.testing.assert_array_equal(shares, detection.iou(np.array(others), np.array(boxes)).T)


@given(box_lists, st.floats(0, 0.9), st.randoms())
def test_kept_boxes_do_not_overlap_and_dropped_ones_overlap_a_box_with_a_higher_score(boxes, threshold, random):
    scores = np.array([random.random() for _ in boxes])
    overlaps = detection.iou(np.array(boxes), np.array(boxes))
    kept = detection.non_maximum_suppression(np.array(boxes), scores, threshold)
    assert scores[kept].tolist() == sorted(scores[kept], reverse=True)
    assert np.sum(overlaps[np.ix_(kept, kept)] > threshold) == len(kept)  # each with itself
    for dropped in set(range(len(boxes))) - set(kept.tolist()):
        assert np.any((overlaps[kept, dropped] > threshold) & (scores[kept] >= scores[dropped]))


def test_non_maximum_suppression_of_no_boxes_keeps_none():
    assert detection.non_maximum_suppression(np.zeros((0, 4)), np.zeros(0), 0.5).tolist() == []


# --- matching ---

SQUARE = (0, 0, 0, 10, 10)


@pytest.mark.parametrize(
    ("boxes", "hits"),
    [
        ([(0, 0, 0.9, 0, 0, 10, 10)], [True]),
        ([(0, 0, 0.9, 0, 0, 10, 5)], [True]),
        ([(0, 0, 0.9, 0, 0, 10, 4.9)], [False]),
        ([(0, 1, 0.9, 0, 0, 10, 10)], [False]),
        ([(1, 0, 0.9, 0, 0, 10, 10)], [False]),
        ([(0, 0, 0.8, 0, 0, 10, 10), (0, 0, 0.9, 0, 0, 10, 6)], [True, False]),
    ],
    ids=["exact", "just enough", "too little", "another class", "another image", "the less certain comes too late"],
)
def test_a_found_box_matches_an_unmatched_true_box_of_its_image_and_class(boxes: list, hits: list[bool]):
    matches = detection.match(targets_of([SQUARE], []), found(*boxes))
    assert matches.hit.tolist() == hits
    assert matches.found.score.tolist() == sorted((box[2] for box in boxes), reverse=True)


def test_a_found_box_matches_the_true_box_with_the_highest_iou():
    truth = [SQUARE, (0, 0, 2, 10, 12)]
    matches = detection.match(targets_of(truth), found((0, 0, 0.9, 0, 2, 10, 12), (0, 0, 0.8, 0, 0, 10, 10)))
    assert matches.hit.tolist() == [True, True]


@pytest.mark.parametrize(
    ("certain", "expected"), [(0.5, Counts(1, 1, 1)), (0.3, Counts(2, 1, 0)), (0.95, Counts(0, 0, 2))]
)
def test_counts_are_of_boxes_above_the_score_threshold(certain: float, expected: Counts):
    boxes = found((0, 0, 0.9, 0, 0, 10, 10), (1, 0, 0.5, 40, 40, 50, 50), (1, 0, 0.3, 0, 0, 10, 10))
    matches = detection.match(targets_of([SQUARE], [SQUARE]), boxes)
    assert detection.counts(matches, 0, certain) == expected


@given(st.integers(0, 2**32 - 1))
def test_every_box_is_counted_once(seed: int):
    matches = detection.match(*made_up(seed))
    for label in range(LABELS):
        counted = detection.counts(matches, label, certain=0)
        assert counted.true_positives + counted.false_positives == np.sum(matches.found.label == label)
        assert counted.true_positives + counted.false_negatives == np.sum(matches.truth.label == label)


# --- without found or true boxes ---


@pytest.mark.parametrize(
    ("targets", "boxes", "expected"),
    [
        (targets_of([SQUARE], []), NO_BOXES, 0.0),
        (targets_of([], []), found((0, 0, 0.9, 0, 0, 10, 10)), 0.0),
        (targets_of([], []), NO_BOXES, 0.0),
        (targets_of([SQUARE], []), found((0, 0, 0.9, 0, 0, 10, 10), (0, 2, 0.9, 0, 0, 10, 10)), 1.0),
        (targets_of([SQUARE], [(1, *SQUARE[1:])]), found((0, 0, 0.9, 0, 0, 10, 10)), 0.5),
    ],
    ids=["nothing found", "nothing true", "nothing at all", "a class without truth", "a class without a found box"],
)
def test_metrics_are_finite_without_found_or_true_boxes(targets: np.ndarray, boxes: Boxes, expected: float):
    assert bound_detection_metrics(targets, boxes)["mean_average_precision"].value == expected
    for metric, columns in bound_detection_metrics(targets, boxes).values():
        assert np.all(np.isfinite(metric(np.array([[0, 0], [0, 1], [1, 1]]))))
        assert 0 <= float(metric(*columns)) <= 1


def test_a_class_without_true_boxes_has_average_precision_0():
    matches = detection.match(targets_of([SQUARE]), found((0, 2, 0.9, 0, 0, 10, 10)))
    assert [detection.average_precision(matches, label) for label in (0, 1, 2)] == [0, 0, 0]


# --- resampled images ---


def copied(targets: np.ndarray, boxes: Boxes, drawn: np.ndarray) -> tuple[np.ndarray, Boxes]:
    """The drawn images laid side by side as if each were another one."""
    parts = [boxes.take(np.flatnonzero(boxes.image == image)) for image in drawn]
    image = np.repeat(np.arange(len(drawn)), [len(part.image) for part in parts])
    together = Boxes(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    return targets[drawn], together._replace(image=image)


@pytest.mark.parametrize("count", [1, IMAGES], ids=["one image without some of the classes", "as many as there are"])
@pytest.mark.parametrize("seed", range(5))
def test_resampling_images_equals_copying_them(seed: int, count: int):
    targets, boxes = made_up(seed)
    drawn = np.random.default_rng(seed).integers(IMAGES, size=(4, count))
    for name, (metric, _) in bound_detection_metrics(targets, boxes).items():
        expected = []
        for each in drawn:
            other, (everything,) = bound_detection_metrics(*copied(targets, boxes, each))[name]
            expected.append(float(other(everything)))
        assert metric(drawn, axis=-1) == pytest.approx(expected)
        assert len(set(expected)) > 1


def test_bound_metrics_of_all_images_equal_the_plain_metrics():
    targets, boxes = made_up(seed=1)
    matches = detection.match(targets, boxes)
    values = metrics.values(bound_detection_metrics(targets, boxes))
    hits, wrong, missed = np.sum([detection.counts(matches, label) for label in range(LABELS)], axis=0)
    assert values == pytest.approx(
        {
            "mean_average_precision": np.mean([detection.average_precision(matches, label) for label in range(LABELS)]),
            "precision": hits / (hits + wrong),
            "recall": hits / (hits + missed),
        }
    )


def test_images_are_resampled_along_the_given_axis():
    metric, _ = bound_detection_metrics(*made_up(seed=2))["mean_average_precision"]
    drawn = np.random.default_rng(2).integers(IMAGES, size=(3, IMAGES))
    np.testing.assert_array_equal(metric(drawn.T, axis=0), metric(drawn))
    assert metric(drawn[0]).shape == ()


def test_bound_metrics_have_bootstrap_intervals():
    targets, boxes = made_up(seed=4)
    for metric, columns in bound_detection_metrics(targets, boxes).values():
        low, high = bootstrap_interval(metric, columns)
        assert 0 <= low < high <= 1
