"""Samples: features and targets, for one of the tasks."""

import mmap
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Task = Literal["classification", "regression", "reconstruction", "detection"]

TargetKind = Literal["class", "number", "boxes", "unused"]

TARGET_KINDS: dict[Task, TargetKind] = {
    "classification": "class",
    "regression": "number",
    "reconstruction": "unused",
    "detection": "boxes",
}
"""What the target of a sample is, for each task of a data set."""


@dataclass(frozen=True)
class Samples:
    """Features and targets of n samples.

    Attributes:
        x: features of shape (n, ...), in their compact type.
        y: class numbers or measured values of shape (n,); for detection boxes of shape (n, most, 5), each of class,
            left, top, right and bottom in pixels, with class -1 where an image has fewer.
        on_disk: for features that may be too large for memory: the folder of the nameless file that has them.
    """

    x: npt.NDArray[Any]
    y: npt.NDArray[Any]
    on_disk: Path | None = None

    def __len__(self) -> int:
        return len(self.x)

    def take(self, indices: npt.NDArray[np.integer[Any]]) -> "Samples":
        """Return the samples at these indices, in this order; of those on disk, a copy on disk."""
        if self.on_disk is None:
            return Samples(self.x[indices], self.y[indices])
        rows = ((position, self.x[index]) for position, index in enumerate(indices))
        x = write_rows(rows, (len(indices), *self.x.shape[1:]), self.x.dtype, self.on_disk)
        if isinstance(self.x.base, mmap.mmap):
            self.x.base.madvise(mmap.MADV_DONTNEED)  # lets go of the pages that were read; the file has them
        return Samples(x, self.y[indices], self.on_disk)


def write_rows(
    rows: Iterable[tuple[int, npt.NDArray[Any]]], shape: tuple[int, ...], dtype: npt.DTypeLike, folder: Path
) -> npt.NDArray[Any]:
    """Return an array in a nameless file, which the system deletes with the process.

    Args:
        rows: the position of each row, and the row; what is not given is zero.
        shape: of the array.
        dtype: of the array.
        folder: on the disk to use; nothing is seen there.
    """
    with TemporaryFile(dir=folder, buffering=0) as file:  # not mapped to be written: a full disk would kill the process
        file.truncate(int(np.prod(shape)) * np.dtype(dtype).itemsize)
        for position, row in rows:
            os.pwrite(file.fileno(), row.tobytes(), position * row.nbytes)
        array: npt.NDArray[Any] = np.memmap(file, dtype, "r", shape=shape)
        return array
