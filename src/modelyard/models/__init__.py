"""Model families, and the kinds they are of: Keras networks, networks that start from another, scikit-learn estimators.

A new family is one module here with a `Settings` and a `build`, and its line in `_FAMILIES`; one that cannot take any
rows has a `check` too, which says so before anything is built.
All kinds answer the same verbs (fit, predict, save, load), so that no stage needs to know which it has.
"""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import numpy as np
from pydantic import Field

from modelyard.config import Settings
from modelyard.inputs import Description, TrainingInput
from modelyard.layer import Layer
from modelyard.models import (
    autoencoder,
    baseline,
    boosting,
    cnn,
    detector,
    estimator,
    linear,
    mlp,
    network,
    recurrent,
    transfer,
)
from modelyard.models.bench import Bench
from modelyard.models.settings import EstimatorTraining, NetworkTraining, Runtime
from modelyard.rows import Task

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Bench",
    "EstimatorTraining",
    "Model",
    "ModelSettings",
    "NetworkTraining",
    "Runtime",
    "TransferSettings",
    "fit",
    "is_estimator",
    "load",
    "task_of",
    "tasks_of",
]

ModelSettings = Annotated[
    mlp.Settings
    | cnn.Settings
    | recurrent.Settings
    | autoencoder.Settings
    | detector.Settings
    | linear.Settings
    | boosting.Settings
    | baseline.Settings,
    Field(discriminator="family"),
]

TransferSettings = transfer.Settings

_FAMILIES: dict[str, tuple[ModuleType, ModuleType]] = {
    "mlp": (network, mlp),
    "cnn": (network, cnn),
    "recurrent": (network, recurrent),
    "autoencoder": (network, autoencoder),
    "detector": (network, detector),
    "transfer": (transfer, transfer),
    "linear": (estimator, linear),
    "boosting": (estimator, boosting),
    "baseline": (estimator, baseline),
}


class Model(Protocol):
    """A fitted model; it takes raw rows, its scaling is inside.

    `native` is the library's own object, `parts` are further ones that share its weights, `layers` are what people see.
    `flavour`, `packages`, `options` and what it `takes` and `gives` (type and shape) tell MLflow how to keep it.
    """

    description: Description
    native: Any
    parts: Mapping[str, Any]
    layers: list[Layer]
    flavour: str
    packages: tuple[str, ...]
    options: dict
    takes: tuple[str, tuple]
    gives: tuple[str, tuple]

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Probabilities (n, classes), values (n,), reconstructions or grids (n, ...) for raw rows (n, ...)."""

    def first_convolution(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Kernels (height, width, channels, filters) and maps (height, width, filters) of a raw image, if any."""

    def save(self, folder: Path) -> None:
        """Write the model and what it must know of its input; equal models give equal bytes."""


def is_estimator(family: str) -> bool:
    """Whether a family is of the scikit-learn kind."""
    return family in _FAMILIES and _FAMILIES[family][0] is estimator


def tasks_of(family: str) -> tuple[Task, ...]:
    """The tasks that a family can be trained for."""
    return getattr(_FAMILIES[family][1], "TASKS", ("classification", "regression"))


def task_of(family: str, of_data: Task) -> Task:
    """What a family makes of a data set: its task, but an autoencoder restores the rows of any."""
    return "reconstruction" if "reconstruction" in tasks_of(family) else of_data


def fit(settings: Settings, training: Settings, data: TrainingInput, bench: Bench) -> tuple[Model, "pd.DataFrame"]:
    """Build and fit a model.

    Returns the model and its history: one row an epoch, the loss and metric of training and validation rows.
    """
    kind, family = _FAMILIES[settings.family]
    description = data.description.model_copy(update={"task": task_of(settings.family, data.description.task)})
    data = TrainingInput(description, data.rows)
    if hasattr(family, "check"):
        family.check(data, settings)
    return kind.fit(family, settings, training, data, bench)


def load(folder: Path) -> Model:
    """Load a saved model of any kind."""
    kind = network if (folder / network.FILE).exists() else estimator
    return kind.load(folder)
