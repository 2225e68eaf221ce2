"""Scaling of a regression's target, fitted on the training samples only; models predict in the target's own unit."""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from modelyard.core.config import Settings
from modelyard.core.errors import ModelyardError
from modelyard.data import scaling

Method = Literal["none", "standard", "log"]

Numbers = npt.NDArray[np.float64]


class TargetScaler(Settings):
    """(y - mean) / scale, of the targets y or of their logarithms log(1 + y)."""

    method: Literal["standard", "log"]
    mean: float = 0.0
    scale: float = Field(default=1.0, description="never zero: a constant target is only shifted")

    def transform(self, y: npt.NDArray[Any]) -> Numbers:
        """Scale targets (n,)."""
        return np.asarray((_forward(self.method, y) - self.mean) / self.scale)

    def inverse_transform(self, scaled: npt.NDArray[Any]) -> Numbers:
        """Return scaled targets (n,) in their own unit."""
        values = np.asarray(scaled * self.scale + self.mean)
        return np.asarray(np.expm1(values)) if self.method == "log" else values

    def refit(self, y: npt.NDArray[Any], training_samples: int) -> "TargetScaler":
        """Fit the same method to the first `training_samples` of the targets y (n,); the others are only checked.

        Raises:
            ModelyardError: a target has no logarithm.
        """
        if self.method == "log" and y.min() < 0:
            raise ModelyardError(
                f"`target_scaling: log` takes targets from 0 on, and the smallest is {y.min():g}: use "
                "`target_scaling: standard`, or correct the data"
            )
        fitted = scaling.fit("standard", _forward(self.method, y[:training_samples, np.newaxis]))
        return TargetScaler(method=self.method, mean=fitted.offset[0], scale=fitted.scale[0])


def _forward(method: Method, y: npt.NDArray[Any]) -> Numbers:
    return np.log1p(y, dtype=np.float64) if method == "log" else np.asarray(y, dtype=np.float64)
