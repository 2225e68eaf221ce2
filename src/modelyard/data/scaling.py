"""Every scaling is one formula, (x - offset) / scale, fitted on the training rows only."""

from collections.abc import Callable
from typing import Literal

import numpy as np
from pydantic import Field

from modelyard.core.config import Settings

Method = Literal["none", "pixels", "minmax", "standard", "minmax_per_split"]

CHUNK = 4096  # rows taken to float64 at a time: a whole image set never is


class Scaler(Settings):
    """An affine scaling: `offset` and `scale` hold one number for all features or one for each, in C order."""

    offset: tuple[float, ...] = (0.0,)
    scale: tuple[float, ...] = Field(default=(1.0,), description="never zero: a constant feature is only shifted")

    def apply(self, rows: np.ndarray) -> np.ndarray:
        """Scale rows of shape (n, ...) to float64 of the same shape."""
        offset, scale = self.shaped(rows.shape[1:])
        return (rows - offset) / scale

    def invert(self, scaled: np.ndarray) -> np.ndarray:
        """Bring scaled rows of shape (n, ...) back to raw units."""
        offset, scale = self.shaped(scaled.shape[1:])
        return scaled * scale + offset

    def shaped(self, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Offset and scale as arrays that go with rows of a shape."""
        offset, scale = (
            np.reshape(each, shape if len(each) > 1 else (1,) * len(shape)) for each in (self.offset, self.scale)
        )
        return offset, scale


def fit(method: Method, rows: np.ndarray) -> Scaler:
    """Fit a scaling to rows of shape (n, ...); a feature that never changes gets the scale 1.

    `minmax_per_split` is fitted as `minmax`: the mistake is made afterwards, on the test rows (see `as_if_fitted_on`).
    """
    return _FITTED[method](rows)


def as_if_fitted_on(test_rows: np.ndarray, fitted: Scaler) -> np.ndarray:
    """The leak of notebook 004: raw test rows moved so that `fitted` scales them by the test rows' own range."""
    return fitted.invert(_minmax(test_rows).apply(test_rows))


def _none(rows: np.ndarray) -> Scaler:
    return Scaler()


def _pixels(rows: np.ndarray) -> Scaler:
    return Scaler(scale=(255.0,))


def _minmax(rows: np.ndarray) -> Scaler:
    low = rows.min(axis=0).astype(np.float64).ravel()
    return _scaler(rows, low, rows.max(axis=0).astype(np.float64).ravel() - low)


def _standard(rows: np.ndarray) -> Scaler:
    mean = rows.mean(axis=0, dtype=np.float64)
    squares = sum(
        np.square(rows[start : start + CHUNK] - mean).sum(axis=0, dtype=np.float64)
        for start in range(0, len(rows), CHUNK)
    )
    return _scaler(rows, mean.ravel(), np.sqrt(squares / len(rows)).ravel())


def _scaler(rows: np.ndarray, offset: np.ndarray, scale: np.ndarray) -> Scaler:
    constant = (rows.max(axis=0) == rows.min(axis=0)).ravel()  # a rounded mean leaves it a scale of some 1e-17
    scale = np.where(constant, 1.0, scale)
    return Scaler(offset=tuple(offset.tolist()), scale=tuple(scale.tolist()))


_FITTED: dict[Method, Callable[[np.ndarray], Scaler]] = {
    "none": _none,
    "pixels": _pixels,
    "minmax": _minmax,
    "standard": _standard,
    "minmax_per_split": _minmax,
}
