"""Images in the IDX format of MNIST and its successors: four gzip files."""

import gzip
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from modelyard.core.errors import ModelyardError
from modelyard.data.readers.base import DatasetSettings, RawData
from modelyard.data.samples import Samples


class IdxDataset(DatasetSettings):
    """A data set of IDX files, named as the MNIST database names them."""

    reader: Literal["idx"]


def read(folder: Path, settings: IdxDataset) -> RawData:
    """Read images as uint8 (n, height, width, 1), labels as uint8 (n,).

    Source: http://yann.lecun.com/exdb/mnist/, "FILE FORMATS FOR THE MNIST DATABASE".
    """
    return RawData(read_part(folder, "train"), read_part(folder, "t10k"), classes=settings.classes)


def read_part(folder: Path, part: Literal["train", "t10k"]) -> Samples:
    """Read the images and labels of the training files or of the test files."""
    images = _read_idx(folder / f"{part}-images-idx3-ubyte.gz", dimensions=3)
    labels = _read_idx(folder / f"{part}-labels-idx1-ubyte.gz", dimensions=1)
    if len(images) != len(labels):
        raise ModelyardError(f"{folder}: {len(images)} {part} images, but {len(labels)} labels")
    return Samples(images[..., np.newaxis], labels)


def _read_idx(path: Path, dimensions: int) -> npt.NDArray[np.uint8]:
    content = gzip.decompress(path.read_bytes())
    header = 4 + 4 * dimensions  # two zeros, type 8 (unsigned byte), number of dimensions; then each dimension
    if content[:4] != bytes((0, 0, 8, dimensions)):
        raise ModelyardError(f"{path}: not an IDX file of unsigned bytes in {dimensions} dimension(s)")
    if len(content) < header:
        raise ModelyardError(f"{path}: ends within its header. Delete it and run again.")
    shape = tuple(np.frombuffer(content, ">u4", count=dimensions, offset=4).tolist())
    if len(content) - header != np.prod(shape):
        raise ModelyardError(f"{path}: the header declares {shape}, the file holds {len(content) - header} bytes")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)
