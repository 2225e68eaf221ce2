"""A model's answers to test rows, and what they are worth."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from modelyard.data.samples import Samples
from modelyard.metrics.definitions import BoundMetric
from modelyard.models import Model

Pictures = dict[str, Figure]


@dataclass(frozen=True)
class Judgement:
    """What a task makes of a model's outputs for its test rows.

    `predictions` is the table that is kept, `measures` are the metrics with the columns that a bootstrap resamples,
    `details` is whatever else is worth keeping.
    """

    model: Model
    test: Samples
    outputs: np.ndarray
    predictions: pd.DataFrame
    measures: dict[str, BoundMetric]
    details: dict[str, Any] = field(default_factory=dict)
