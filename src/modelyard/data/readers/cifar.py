"""CIFAR-10 in its binary version: small colour photographs in files of fixed-length records."""

from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from modelyard.core.errors import ModelyardError
from modelyard.data.readers.base import DatasetSettings, RawData
from modelyard.data.samples import Samples

TRAINING = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST = "test_batch.bin"
PLANES = (3, 32, 32)  # red, green, blue; each row by row from the top
RECORD = 1 + 3 * 32 * 32  # the label goes before the pixels


class CifarDataset(DatasetSettings):
    """The binary version of CIFAR-10."""

    reader: Literal["cifar"]


def read(folder: Path, settings: CifarDataset) -> RawData:
    """Read images as uint8 (n, 32, 32, 3) in red, green, blue, and labels as uint8 (n,); the test batch is for testing.

    Source: https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version".
    """
    return RawData(_read_part(folder, TRAINING), _read_part(folder, (TEST,)), classes=settings.classes)


def _read_part(folder: Path, names: tuple[str, ...]) -> Samples:
    records = np.concatenate([_read_records(folder / name) for name in names])
    images = records[:, 1:].reshape(-1, *PLANES).transpose(0, 2, 3, 1)
    return Samples(np.ascontiguousarray(images), records[:, 0].copy())  # a view would keep all records in memory


def _read_records(path: Path) -> npt.NDArray[np.uint8]:
    size = path.stat().st_size
    if not size or size % RECORD:
        raise ModelyardError(
            f"{path}: {size} bytes, not a whole number of records of {RECORD} bytes. Delete it and run again."
        )
    return np.fromfile(path, np.uint8).reshape(-1, RECORD)
