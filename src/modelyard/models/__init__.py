"""Model families, and the two kinds they are of: Keras networks and scikit-learn estimators.

A new family is one module here with a `Settings` and a `build`, and its line in `_FAMILIES`.
Both kinds answer the same verbs (fit, predict, save, load), so that no stage needs to know which it has.
"""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import numpy as np
from pydantic import Field

from modelyard.config import Settings
from modelyard.inputs import Description, TrainingInput
from modelyard.models import boosting, cnn, detector, estimator, linear, mlp, network
from modelyard.models.settings import EstimatorTraining, NetworkTraining, Runtime

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EstimatorTraining", "Model", "ModelSettings", "NetworkTraining", "Runtime", "fit", "is_estimator", "load"]

ModelSettings = Annotated[
    mlp.Settings | cnn.Settings | detector.Settings | linear.Settings | boosting.Settings,
    Field(discriminator="family"),
]

_FAMILIES: dict[str, tuple[ModuleType, ModuleType]] = {
    "mlp": (network, mlp),
    "cnn": (network, cnn),
    "detector": (network, detector),
    "linear": (estimator, linear),
    "boosting": (estimator, boosting),
}


class Model(Protocol):
    """A fitted model; it takes raw rows, its scaling is inside.

    `native` is the library's own object; `flavour`, `packages`, `options` and what it
    `takes` and `gives` (type and shape) tell MLflow how to keep it.
    """

    description: Description
    native: Any
    flavour: str
    packages: tuple[str, ...]
    options: dict
    takes: tuple[str, tuple]
    gives: tuple[str, tuple]

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Probabilities (n, classes) or values (n,) for raw rows (n, ...)."""

    def save(self, folder: Path) -> None:
        """Write the model and what it must know of its input; equal models give equal bytes."""


def is_estimator(family: str) -> bool:
    """Whether a family is of the scikit-learn kind."""
    return family in _FAMILIES and _FAMILIES[family][0] is estimator


def fit(
    settings: Settings,
    training: Settings,
    data: TrainingInput,
    folder: Path,
    runtime: Runtime,
    report: Callable[[dict[str, float]], None],
) -> tuple[Model, "pd.DataFrame"]:
    """Build and fit a model; `report` hears of each epoch, checkpoints go to `folder`.

    Returns the model and its history: one row an epoch, the loss and metric of training and validation rows.
    """
    kind, family = _FAMILIES[settings.family]
    return kind.fit(family.build, settings, training, data, folder, runtime, report)


def load(folder: Path) -> Model:
    """Load a saved model of either kind."""
    kind = network if (folder / network.FILE).exists() else estimator
    return kind.load(folder)
