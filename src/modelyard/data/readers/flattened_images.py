"""Images of one channel in a CSV file without a header: a line has the pixels of one image, then its class."""

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from modelyard.core.config import Settings
from modelyard.core.errors import ModelyardError
from modelyard.data.readers.base import OneFileSettings, RawData
from modelyard.data.samples import Samples

Pixels = Annotated[int, Field(ge=1)]


class DrawnTestPart(Settings):
    """Test samples drawn once from a data set that has none of its own, so that all its inputs share them."""

    test_size: float = Field(gt=0, lt=1, description="of all samples, with the same share of each class")
    seed: int = Field(ge=0, lt=2**32, description="sklearn.model_selection.StratifiedShuffleSplit(random_state=seed)")


class FlattenedImagesDataset(OneFileSettings):
    """Flattened images in a CSV file."""

    reader: Literal["flattened_images"]
    image_shape: tuple[Pixels, Pixels] = Field(description="height and width in the file")
    resize: tuple[Pixels, Pixels] | None = Field(default=None, description="height and width to scale every image to")
    test_part: DrawnTestPart | None = Field(
        default=None, description="null: the data set has no test samples of its own"
    )


def read(folder: Path, settings: FlattenedImagesDataset) -> RawData:
    """Read images as uint8 (n, height, width, 1), labels as uint8 (n,); both parts shuffled if a test part is drawn.

    Raises:
        ModelyardError: a line is no image of this shape, or a class is too small for the test part.
    """
    samples = read_samples(settings.file_in(folder), settings.image_shape)
    if settings.resize:
        samples = Samples(_resized(samples.x, settings.resize), samples.y)
    if settings.test_part is None:
        return RawData(samples, classes=settings.classes)
    training, test = draw_test(samples, settings.test_part)
    return RawData(training, test, classes=settings.classes)


def read_samples(path: Path, image_shape: tuple[int, int]) -> Samples:
    """Read images as uint8 (n, height, width, 1), labels as uint8 (n,), in the order of the file.

    Raises:
        ModelyardError: a line is no image of this shape.
    """
    table = np.loadtxt(path, delimiter=",", ndmin=2)
    height, width = image_shape
    if table.shape[1] != height * width + 1:
        raise ModelyardError(
            f"{path}: {table.shape[1]} values in a line; `image_shape: [{height}, {width}]` means {height * width} "
            "pixels and the class"
        )
    if not np.isin(table, np.arange(256)).all():
        raise ModelyardError(f"{path}: pixels and classes must be whole numbers from 0 to 255")
    values = table.astype(np.uint8)
    return Samples(values[:, :-1].reshape(-1, height, width, 1), values[:, -1])


def draw_test(samples: Samples, part: DrawnTestPart) -> tuple[Samples, Samples]:
    """Return training and test samples, both in the order of the draw.

    Raises:
        ModelyardError: a class, or the whole, is too small for it.
    """
    from sklearn.model_selection import StratifiedShuffleSplit

    try:
        draw = StratifiedShuffleSplit(n_splits=1, test_size=part.test_size, random_state=part.seed)
        ((training, test),) = draw.split(samples.x, samples.y)
    except ValueError as error:
        raise ModelyardError(f"`test_part.test_size: {part.test_size}` of {len(samples)} samples: {error}") from None
    return samples.take(training), samples.take(test)


def _resized(images: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Scale images (n, height, width, 1) to another height and width, each pixel the mean of what it covers."""
    from PIL import Image

    height, width = shape
    scaled = [Image.fromarray(image[..., 0]).resize((width, height), Image.Resampling.BOX) for image in images]
    return np.stack([np.asarray(image) for image in scaled])[..., np.newaxis]
