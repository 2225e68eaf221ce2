"""How sure a figure is."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

RESAMPLES = 1000
CONFIDENCE = 0.95
BATCH = 50  # resamples at a time: bounds the memory at 10,000 rows to some 10 MB


class Interval(NamedTuple):
    """An interval at the level CONFIDENCE."""

    low: float
    high: float


def bootstrap_interval(metric: Callable[..., np.ndarray], columns: tuple[np.ndarray, ...], seed: int = 0) -> Interval:
    """The percentile bootstrap interval of a metric whose columns, each of shape (n,), are resampled together.

    Source: scipy.stats.bootstrap. One row has no spread: its interval is the figure itself.
    """
    from scipy.stats import bootstrap

    if len(columns[0]) < 2:
        figure = float(metric(*columns))
        return Interval(figure, figure)
    found = bootstrap(
        columns,
        metric,
        paired=True,
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=BATCH,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(float(found.low), float(found.high))
