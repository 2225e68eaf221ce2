"""The grid of cells of a detector: encoding, decoding, and the loss."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.metrics import detection
from modelyard.models.engine import box_coding

pytestmark = pytest.mark.usefixtures("default_runtime")

SHAPE, CELLS, CLASSES = (64, 48, 1), (8, 6), 4


def encode(*boxes: tuple[float, ...]) -> np.ndarray:
    """The cells (rows, columns, 5 + classes) of one image's boxes."""
    return box_coding.encode(np.array([boxes], dtype=np.float32), SHAPE, CLASSES, CELLS)[0]


# --- cells ---


def test_a_box_is_encoded_in_the_cell_of_its_center():
    cells = encode((2, 10, 20, 18, 40))  # center (14, 30): the second column, the fourth row
    assert np.argwhere(cells[..., 0]).tolist() == [[3, 1]]
    assert cells[3, 1] == pytest.approx([1, 0.75, 0.75, 8 / 48, 20 / 64, 0, 0, 1, 0])
    assert np.sum(cells != 0) == np.sum(cells[3, 1] != 0)


def test_cells_without_a_box_are_zero():
    cells = encode((-1, 0, 0, 0, 0), (-1, 0, 0, 0, 0))
    assert (cells.shape, cells.dtype) == ((*CELLS, 5 + CLASSES), np.float32)
    assert not cells.any()


def test_of_two_boxes_in_one_cell_the_later_is_encoded():
    first, second = (1, 9, 9, 13, 15), (3, 9, 8, 15, 16)
    np.testing.assert_array_equal(encode(first, second), encode(second))


def test_a_center_on_the_far_edge_belongs_to_the_last_cell():
    cells = encode((0, 48, 64, 48, 64))
    assert cells[7, 5, :3].tolist() == [1, 1, 1]


boxes_in_cells = st.dictionaries(
    st.tuples(st.integers(0, 7), st.integers(0, 5)),
    st.tuples(st.integers(0, CLASSES - 1), st.floats(0.1, 0.9), st.floats(0.1, 0.9)),
    max_size=5,
)


@given(st.lists(boxes_in_cells, min_size=1, max_size=4))
def test_decoding_inverts_encoding(images: list[dict]):
    """Boxes of 6 pixels a side at most: neighbors are never duplicates."""
    boxes = np.full((len(images), 5, 5), -1, dtype=np.float32)
    for targets, cells in zip(boxes, images, strict=True):
        for target, ((row, column), (label, across, down)) in zip(targets, cells.items(), strict=False):
            x, y = 8 * (column + across), 8 * (row + down)
            half = min(3, x, y, 48 - x, 64 - y)
            target[:] = label, x - half, y - half, x + half, y + half
    found = box_coding.decode(box_coding.encode(boxes, SHAPE, CLASSES, CELLS), SHAPE)
    true = detection.true_boxes(boxes)
    places, expected = (np.lexsort((each.box[:, 0], each.box[:, 1], each.image)) for each in (found, true))
    np.testing.assert_array_equal(found.image[places], true.image[expected])
    np.testing.assert_array_equal(found.label[places], true.label[expected])
    np.testing.assert_allclose(found.box[places], true.box[expected], atol=1e-3)
    assert np.all(found.score == 1)


def cell(score: float, label: int, width: float = 0.25, probability: float = 1.0) -> np.ndarray:
    rest = (1 - probability) / (CLASSES - 1)
    named = np.where(np.arange(CLASSES) == label, probability, rest)
    return np.array([score, 0.5, 0.5, width, 0.25, *named])


def test_the_score_is_objectness_times_the_highest_class_probability():
    cells = np.zeros((1, *CELLS, 5 + CLASSES))
    cells[0, 2, 2] = cell(0.8, label=3, probability=0.7)
    found = box_coding.decode(cells, SHAPE)
    assert found.score == pytest.approx([0.56])
    assert found.label.tolist() == [3]


def test_boxes_below_the_score_threshold_are_dropped():
    cells = np.zeros((2, *CELLS, 5 + CLASSES))
    cells[0, 2, 2], cells[1, 5, 1] = cell(0.3, label=0), cell(0.1, label=1)
    assert box_coding.decode(cells, SHAPE).image.tolist() == [0, 1]
    assert box_coding.decode(cells, SHAPE, score_threshold=0.2).image.tolist() == [0]
    assert box_coding.decode(cells, SHAPE, score_threshold=0.5).box.shape == (0, 4)


def test_boxes_are_clipped_to_the_image():
    cells = np.zeros((1, *CELLS, 5 + CLASSES))
    cells[0, 0, 0] = cell(0.9, label=0, width=1)
    left, _, right, _ = box_coding.decode(cells, SHAPE).box[0]
    assert (left, right) == (0, 4 + 24)


def test_of_two_overlapping_boxes_the_higher_score_stays_whatever_the_classes():
    cells = np.zeros((2, *CELLS, 5 + CLASSES))
    cells[0, 2, 2], cells[0, 2, 3] = cell(0.6, label=0, width=1), cell(0.9, label=1, width=1)
    cells[1, 2, 2] = cell(0.5, label=2)
    found = box_coding.decode(cells, SHAPE)
    assert (found.image.tolist(), found.label.tolist()) == ([0, 1], [1, 2])


# --- the loss ---


def losses(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    return np.asarray(box_coding.loss(np.float32(truth), np.float32(predicted)))


def some_cells() -> np.ndarray:
    return encode((2, 10, 20, 18, 40), (0, 30, 30, 44, 44))[np.newaxis]


def test_the_loss_of_the_targets_is_0_for_each_image():
    truth = np.concatenate([some_cells()] * 3)
    assert losses(truth, truth) == pytest.approx([0, 0, 0], abs=1e-4)


@pytest.mark.parametrize(("number", "wrong"), [(0, 0.2), (1, 0.2), (2, 0.2), (3, 0.6), (4, 0.6), (7, 0.3)])
def test_each_wrong_value_of_a_cell_with_a_box_adds_to_the_loss(number: int, wrong: float):
    truth, predicted = some_cells(), some_cells()
    predicted[0, 3, 1, number] = wrong
    assert losses(truth, predicted)[0] > 0.05


def test_of_a_cell_without_a_box_only_the_objectness_adds_to_the_loss():
    truth, predicted = some_cells(), some_cells()
    predicted[0, 0, 0, 1:] = 0.25
    assert losses(truth, predicted) == pytest.approx([0], abs=1e-4)
    predicted[0, 0, 0, 0] = 0.25
    assert losses(truth, predicted) == pytest.approx([-np.log(0.75)], abs=1e-4)


def test_the_loss_equals_the_hand_computed_value():
    truth, predicted = some_cells(), some_cells()
    predicted[0, 3, 1] = [0.8, 0.65, 0.75, 8 / 48, 20 / 64, 0.1, 0.1, 0.7, 0.1]
    expected = -np.log(0.8) + 5 * 0.1**2 - np.log(0.7)
    assert losses(truth, predicted) == pytest.approx([expected], abs=1e-4)
