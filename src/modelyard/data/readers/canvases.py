"""Canvases for detection: handwritten digits of MNIST at random places, without overlap, each with its box."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from modelyard.core.errors import ModelyardError
from modelyard.data.readers import flattened_images, idx
from modelyard.data.readers.base import DatasetSettings, RawData
from modelyard.data.readers.flattened_images import DrawnTestPart
from modelyard.data.samples import Samples

DIGIT = 28  # pixels a side of an MNIST image
LAYOUTS = 10_000  # drawn for one canvas before giving up


class CanvasesDataset(DatasetSettings):
    """Canvases made of the four files of the MNIST database, or of one file of flattened digits."""

    reader: Literal["canvases"]
    size: int = Field(default=64, ge=DIGIT, description="pixels a side of a canvas")
    digits: tuple[int, int] = Field(default=(1, 3), description="fewest and most digits on a canvas")
    training: int = Field(default=6000, ge=1, description="canvases to train on, of MNIST's training digits")
    test: int = Field(default=1000, ge=1, description="canvases for the test, of MNIST's test digits")
    seed: int = Field(ge=0, lt=2**32)
    test_part: DrawnTestPart | None = Field(
        default=None, description="for flattened digits: which of them are for the test canvases, as in their own entry"
    )

    @model_validator(mode="after")
    def _has_test_digits(self) -> "CanvasesDataset":
        if (len(self.files) == 1) != (self.test_part is not None):
            raise ValueError("test_part goes with one file of flattened digits, and only with it")
        return self

    @model_validator(mode="after")
    def _has_room_for_its_digits(self) -> "CanvasesDataset":
        fewest, most = self.digits
        room = (self.size // DIGIT) ** 2
        if not 0 <= fewest <= most or not 1 <= most <= room:
            raise ValueError(
                f"digits {list(self.digits)} must be the fewest, from 0, and the most, from 1; a canvas of size "
                f"{self.size} has room for {room}. Take fewer digits or a larger size."
            )
        return self


def read(folder: Path, settings: CanvasesDataset) -> RawData:
    """Draw canvases as uint8 (n, size, size, 1) and their boxes as float32 (n, most, 5).

    A box is class, left, top, right, bottom, in pixels from the top left corner, tight around the ink: a dot in the
    corner is (class, 0, 0, 1, 1). Class -1 and zeros stand where a canvas has no further digit. The seed determines
    every pixel, and the test canvases do not depend on the number of training canvases.

    Raises:
        ModelyardError: the images are not 28 x 28, one of them is blank, or no layout without overlap was found.
    """
    training_digits, test_digits = _digits(folder, settings)
    training = _canvases(training_digits, settings.training, (settings.seed, 0), settings)
    test = _canvases(test_digits, settings.test, (settings.seed, 1), settings)
    return RawData(training, test, classes=settings.classes)


def _digits(folder: Path, settings: CanvasesDataset) -> tuple[Samples, Samples]:
    if settings.test_part is None:
        return idx.read_part(folder, "train"), idx.read_part(folder, "t10k")
    digits = flattened_images.read_samples(folder / next(iter(settings.files)), (DIGIT, DIGIT))
    return flattened_images.draw_test(digits, settings.test_part)


def _canvases(digits: Samples, count: int, seed: tuple[int, int], settings: CanvasesDataset) -> Samples:
    if digits.x.shape[1:3] != (DIGIT, DIGIT):
        raise ModelyardError(f"canvases are made of images of {DIGIT} x {DIGIT}, these are {digits.x.shape[1:3]}")
    random = np.random.default_rng(seed)
    x = np.zeros((count, settings.size, settings.size, 1), dtype=np.uint8)
    y = np.tile(np.array([-1, 0, 0, 0, 0], dtype=np.float32), (count, settings.digits[1], 1))
    for canvas, boxes in zip(x, y, strict=True):
        number = random.integers(*settings.digits, endpoint=True)
        chosen = digits.take(random.integers(len(digits), size=number))
        _draw(chosen, canvas, boxes, random)
    return Samples(x, y)


def _draw(
    digits: Samples, canvas: npt.NDArray[np.uint8], boxes: npt.NDArray[np.float32], random: np.random.Generator
) -> None:
    """Paste digits on a canvas (size, size, 1), and fill in the first of its boxes (most, 5)."""
    crops = [_crop_to_ink(image) for image in digits.x]
    corners = _layout(np.array([crop.shape[1::-1] for crop in crops]).reshape(-1, 2), len(canvas), random)
    for crop, label, (left, top, right, bottom), box in zip(crops, digits.y, corners, boxes, strict=False):
        area = canvas[top:bottom, left:right]
        np.maximum(area, crop, out=area)
        box[:] = label, left, top, right, bottom


def _crop_to_ink(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the part of an image (height, width, 1) that holds all its ink."""
    rows, columns = (np.flatnonzero(image.any(axis=axis)) for axis in ((1, 2), (0, 2)))
    if not len(rows):
        raise ModelyardError("one of the images is blank, so that it has no box; remove it from the files")
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _layout(sizes: npt.NDArray[np.int64], side: int, random: np.random.Generator) -> npt.NDArray[np.int64]:
    """Draw boxes (n, 4) of these widths and heights (n, 2): every layout without overlap is equally likely."""
    for _ in range(LAYOUTS):
        starts = random.integers(side - sizes, endpoint=True)
        if not _overlap(starts, starts + sizes):
            return np.hstack([starts, starts + sizes])
    raise ModelyardError(
        f"{LAYOUTS} layouts of {len(sizes)} digits on a canvas of {side} x {side} all overlapped: "
        "take fewer digits or a larger size"
    )


def _overlap(starts: npt.NDArray[Any], ends: npt.NDArray[Any]) -> bool:
    """Return whether any two of the boxes from starts (n, 2) to ends (n, 2) share a pixel."""
    shared = np.all(starts[:, np.newaxis] < ends[np.newaxis], axis=-1)
    return bool(np.sum(shared & shared.T) > len(starts))  # each shares with itself
