"""Samples: features and targets, for one of the tasks."""

from dataclasses import dataclass
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
    """

    x: npt.NDArray[Any]
    y: npt.NDArray[Any]

    def __len__(self) -> int:
        return len(self.x)

    def take(self, indices: npt.NDArray[np.integer[Any]]) -> "Samples":
        """Return the samples at these indices, in this order."""
        return Samples(self.x[indices], self.y[indices])
