"""Canvases: digits with tight boxes that do not overlap, the same for the same seed."""

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from modelyard.core.errors import ModelyardError
from modelyard.data import readers
from modelyard.data.readers import canvases
from modelyard.data.readers.flattened_images import DrawnTestPart, draw_test, read_samples

TRAINING_INK, TEST_INK = 100, 200


def settings(**changes: Any) -> canvases.CanvasesDataset:
    values = {"size": 64, "digits": (0, 3), "training": 40, "test": 20, "seed": 7, "classes": tuple("0123456789")}
    named = {"reader": "canvases", "task": "detection", "description": "Made up.", "files": {}}
    return canvases.CanvasesDataset(**(named | values | changes))


def write(folder: Path, part: str, images: np.ndarray, labels: np.ndarray) -> None:
    for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
        header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
        (folder / f"{part}-{kind}-ubyte.gz").write_bytes(gzip.compress(header + array.tobytes()))


def digits(ink: int, side: int = 28) -> np.ndarray:
    """Ten images; number k is a bar of ink that is k + 1 wide and 20 - k high, with one pixel more at its corner."""
    images = np.zeros((10, side, side), dtype=np.uint8)
    for number, image in enumerate(images):
        image[2 : 22 - number, 3 : 4 + number] = ink
        image[2, 3] = ink + 1
    return images


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for part, ink in (("train", TRAINING_INK), ("t10k", TEST_INK)):
        write(tmp_path, part, digits(ink), np.arange(10, dtype=np.uint8))
    return tmp_path


def boxes_of(canvas_boxes: np.ndarray) -> np.ndarray:
    return canvas_boxes[canvas_boxes[:, 0] >= 0].astype(int)


def test_canvases_are_bytes_and_boxes_are_numbers(folder: Path):
    raw = readers.read(settings(), folder)
    assert (raw.samples.x.shape, raw.samples.x.dtype) == ((40, 64, 64, 1), np.uint8)
    assert (raw.samples.y.shape, raw.samples.y.dtype) == ((40, 3, 5), np.float32)
    assert (len(raw.test.x), raw.test.y.shape) == (20, (20, 3, 5))
    assert raw.classes == settings().classes


def test_each_box_holds_its_digit_and_nothing_lies_outside(folder: Path):
    samples = readers.read(settings(), folder).samples
    bars = digits(TRAINING_INK)
    for canvas, boxes in zip(samples.x[..., 0], samples.y, strict=True):
        canvas = canvas.copy()
        for label, left, top, right, bottom in boxes_of(boxes):
            np.testing.assert_array_equal(canvas[top:bottom, left:right], bars[label, 2 : 22 - label, 3 : 4 + label])
            canvas[top:bottom, left:right] = 0
        assert not canvas.any()


def test_no_pixel_belongs_to_two_boxes_and_none_lies_beyond_the_edge(folder: Path):
    for boxes in readers.read(settings(), folder).samples.y:
        covered = np.zeros((64, 64), dtype=int)
        for _, left, top, right, bottom in boxes_of(boxes):
            covered[top:bottom, left:right] += 1
        assert covered.max() <= 1
        assert covered.sum() == sum((right - left) * (bottom - top) for _, left, top, right, bottom in boxes_of(boxes))


def test_the_number_of_digits_is_any_from_the_fewest_to_the_most_and_the_rest_is_marked(folder: Path):
    y = readers.read(settings(), folder).samples.y
    assert set((y[..., 0] >= 0).sum(axis=1)) == {0, 1, 2, 3}
    for boxes in y:
        missing = len(boxes) - len(boxes_of(boxes))
        assert boxes[len(boxes) - missing :].tolist() == [[-1, 0, 0, 0, 0]] * missing


def test_test_canvases_hold_test_digits_and_training_canvases_training_digits(folder: Path):
    raw = readers.read(settings(), folder)
    assert set(np.unique(raw.samples.x)) == {0, TRAINING_INK, TRAINING_INK + 1}
    assert set(np.unique(raw.test.x)) == {0, TEST_INK, TEST_INK + 1}


def test_test_canvases_are_laid_out_otherwise_than_training_canvases(folder: Path):
    raw = readers.read(settings(training=20), folder)
    assert not np.array_equal(raw.samples.y, raw.test.y)


def test_a_digit_may_reach_every_edge(folder: Path):
    write(folder, "train", np.full((1, 28, 28), 9, np.uint8), np.zeros(1, np.uint8))
    samples = readers.read(settings(size=28, digits=(1, 1), training=1), folder).samples
    assert samples.y.tolist() == [[[0, 0, 0, 28, 28]]]
    assert np.all(samples.x == 9)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(folder: Path):
    first, again, other = (readers.read(settings(seed=seed), folder) for seed in (7, 7, 8))
    assert first.samples.x.tobytes() == again.samples.x.tobytes()
    assert first.test.y.tobytes() == again.test.y.tobytes()
    assert first.samples.x.tobytes() != other.samples.x.tobytes()
    assert first.test.y.tobytes() != other.test.y.tobytes()


def test_the_test_canvases_do_not_depend_on_the_number_of_training_canvases(folder: Path):
    few, many = (readers.read(settings(training=count), folder).test for count in (1, 60))
    np.testing.assert_array_equal(few.x, many.x)


def test_mnist_gives_tight_boxes_of_at_most_20_pixels_a_side(real_mnist: Path):
    samples = canvases.read(real_mnist, settings(training=200)).samples
    sides = (samples.y[..., 3:] - samples.y[..., 1:3])[samples.y[..., 0] >= 0]
    assert sides.min() >= 1
    assert sides.max() == 20  # as its authors describe it
    for canvas, boxes in zip(samples.x[..., 0], samples.y, strict=True):
        for _, left, top, right, bottom in boxes_of(boxes):
            ink = canvas[top:bottom, left:right]
            assert all(edge.any() for edge in (ink[0], ink[-1], ink[:, 0], ink[:, -1]))


def test_flattened_digits_give_test_canvases_of_their_own_test_part(tmp_path: Path):
    bars = digits(TRAINING_INK)[:2].repeat(5, axis=0)
    inks = np.arange(10, 20, dtype=np.uint8)  # one of its own for each image
    images = np.where(bars > 0, inks[:, np.newaxis, np.newaxis], 0)
    lines = [
        ",".join(map(str, [*image.ravel(), label])) for image, label in zip(images, [0] * 5 + [1] * 5, strict=True)
    ]
    (tmp_path / "images.csv").write_text("\n".join(lines))
    part = DrawnTestPart(test_size=0.2, seed=3)
    files = {"images.csv": {"package": "made/up", "sha256": "0" * 64}}
    raw = readers.read(settings(files=files, test_part=part), tmp_path)
    training, test = draw_test(read_samples(tmp_path / "images.csv", (28, 28)), part)
    assert set(np.unique(raw.samples.x)) == set(np.unique(training.x))
    assert set(np.unique(raw.test.x)) == set(np.unique(test.x))
    assert set(np.unique(raw.samples.x)) & set(np.unique(raw.test.x)) == {0}


# --- what cannot be ---


@pytest.mark.parametrize(
    "changes", [{"test_part": None, "files": 1}, {"test_part": {"test_size": 0.2, "seed": 1}, "files": 4}]
)
def test_a_test_part_goes_with_one_file_only(changes: dict):
    files = {f"{number}.gz": {"package": "made/up", "sha256": "0" * 64} for number in range(changes["files"])}
    with pytest.raises(ValidationError, match="test_part goes with one file of flattened digits"):
        settings(**changes | {"files": files})


@pytest.mark.parametrize(
    "changes",
    [{"digits": (1, 5)}, {"size": 55, "digits": (1, 2)}, {"digits": (3, 2)}, {"digits": (-1, 2)}, {"digits": (0, 0)}],
    ids=["five where four fit", "two where one fits", "most below fewest", "fewer than none", "never any"],
)
def test_a_canvas_that_cannot_hold_its_digits_is_refused(changes: dict):
    with pytest.raises(ValidationError, match=r"the fewest, from 0, and the most.*Take fewer digits or a larger size"):
        settings(**changes)


@given(st.integers(1, 6))
def test_a_canvas_holds_as_many_digits_as_lie_side_by_side(side: int):
    assert settings(size=28 * side, digits=(1, side**2)).digits == (1, side**2)


def test_digits_without_a_layout_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(canvases, "LAYOUTS", 20)
    write(folder, "train", np.full((1, 28, 28), 9, np.uint8), np.zeros(1, np.uint8))
    with pytest.raises(
        ModelyardError, match="20 layouts of 4 digits on a canvas of 56 x 56 all overlapped: take fewer"
    ):
        readers.read(settings(size=56, digits=(4, 4)), folder)


def test_a_blank_image_is_refused(folder: Path):
    write(folder, "train", np.zeros((1, 28, 28), np.uint8), np.zeros(1, np.uint8))
    with pytest.raises(ModelyardError, match="one of the images is blank"):
        readers.read(settings(), folder)


def test_images_of_another_size_are_refused(folder: Path):
    write(folder, "t10k", digits(TEST_INK, side=32), np.arange(10, dtype=np.uint8))
    with pytest.raises(ModelyardError, match=r"made of images of 28 x 28, these are \(32, 32\)"):
        readers.read(settings(), folder)
