"""Scaling of features, always (x - offset) / scale, fitted on the training samples only."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from modelyard.core.config import Settings

Method = Literal["none", "pixels", "minmax", "standard", "minmax_per_split"]

CHUNK = 4096  # samples converted to float64 at a time, never a whole image set


class Scaler(Settings):
    """An affine scaling: `offset` and `scale` hold one number for all features or one for each, in C order."""

    # Not scikit-learn's scalers: the exported model applies the same numbers itself, and they are stored as JSON.
    offset: tuple[float, ...] = (0.0,)
    scale: tuple[float, ...] = Field(default=(1.0,), description="never zero: a constant feature is only shifted")

    def transform(self, x: np.ndarray, dtype: npt.DTypeLike = np.float64) -> np.ndarray:
        """Scale x (n, ...), an array or a TensorFlow tensor, in the precision of `dtype`."""
        offset, scale = self.as_arrays(tuple(x.shape[1:]))
        scaled: np.ndarray = (x - offset.astype(dtype)) / scale.astype(dtype)
        return scaled

    def inverse_transform(self, scaled: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Return scaled features of shape (n, ...) in their raw units."""
        offset, scale = self.as_arrays(scaled.shape[1:])
        return np.asarray(scaled * scale + offset)

    def as_arrays(self, shape: tuple[int, ...]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return offset and scale as arrays that broadcast with samples of this shape."""
        offset, scale = (
            np.reshape(values, shape if len(values) > 1 else (1,) * len(shape)) for values in (self.offset, self.scale)
        )
        return offset, scale


def fit(method: Method, x: npt.NDArray[Any]) -> Scaler:
    """Fit a scaling to features of shape (n, ...); a constant feature gets the scale 1.

    `minmax_per_split` is fitted as `minmax`: its leak is added later, to the test samples (see `leak_test_range`).
    """
    return _FIT[method](x)


def leak_test_range(test_x: npt.NDArray[Any], fitted: Scaler) -> npt.NDArray[np.float64]:
    """Reproduce the leak of notebook 004: move raw test features so that `fitted` scales them by their own range."""
    return fitted.inverse_transform(_minmax(test_x).transform(test_x))


def _none(_: npt.NDArray[Any]) -> Scaler:
    return Scaler()


def _pixels(_: npt.NDArray[Any]) -> Scaler:
    return Scaler(scale=(255.0,))


def _minmax(x: npt.NDArray[Any]) -> Scaler:
    low = x.min(axis=0).astype(np.float64).ravel()
    return _scaler(x, low, x.max(axis=0).astype(np.float64).ravel() - low)


def _standard(x: npt.NDArray[Any]) -> Scaler:
    mean = x.mean(axis=0, dtype=np.float64)
    squares = sum(
        np.square(x[start : start + CHUNK] - mean).sum(axis=0, dtype=np.float64) for start in range(0, len(x), CHUNK)
    )
    return _scaler(x, mean.ravel(), np.sqrt(squares / len(x)).ravel())


def _scaler(x: npt.NDArray[Any], offset: npt.NDArray[np.float64], scale: npt.NDArray[np.float64]) -> Scaler:
    constant = (x.max(axis=0) == x.min(axis=0)).ravel()  # rounding of the mean would leave a scale of about 1e-17
    scale = np.where(constant | (scale == 0), 1.0, scale)  # 0: squares of differences below 1e-162
    return Scaler(offset=tuple(offset.tolist()), scale=tuple(scale.tolist()))


_FIT: dict[Method, Callable[[npt.NDArray[Any]], Scaler]] = {
    "none": _none,
    "pixels": _pixels,
    "minmax": _minmax,
    "standard": _standard,
    "minmax_per_split": _minmax,
}
