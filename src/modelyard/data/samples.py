"""What flows through the pipeline: rows of inputs with their targets, for one of the tasks."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

Task = Literal["classification", "regression", "reconstruction", "detection"]


@dataclass(frozen=True)
class Samples:
    """Inputs of shape (n, ...) in their compact type, and their targets.

    Targets are class numbers or measured values (n,); for detection boxes (n, most, 5) of class, left, top, right and
    bottom in pixels, with class -1 where a row has fewer.
    """

    x: np.ndarray
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.x)

    def take(self, which: np.ndarray) -> "Samples":
        """The rows at these indices, in this order."""
        return Samples(self.x[which], self.y[which])
