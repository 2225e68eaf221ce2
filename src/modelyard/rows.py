"""What flows through the pipeline: rows of inputs with their targets, for one of the tasks."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

Task = Literal["classification", "regression"]


@dataclass(frozen=True)
class Rows:
    """Inputs of shape (n, ...) in their compact type, and targets of shape (n,): class numbers or measured values."""

    x: np.ndarray
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.x)

    def take(self, which: np.ndarray) -> "Rows":
        """The rows at these indices, in this order."""
        return Rows(self.x[which], self.y[which])
