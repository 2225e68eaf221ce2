"""Model families, and the kinds they are of: Keras networks, networks that start from another, scikit-learn estimators.

A new family is one module here with a `Settings` and a `build`, and its line in `_FAMILIES`; one that cannot take any
rows has a `check` too, which says so before anything is built.
All kinds answer the same verbs (fit, predict, save, load), so that no stage needs to know which it has.
"""

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from modelyard.core.config import Settings
from modelyard.data.inputs import TrainingInput
from modelyard.data.samples import Task
from modelyard.models.engine import keras_model, sklearn_model
from modelyard.models.engine.base import Model, TrainingContext
from modelyard.models.engine.training_settings import EstimatorTraining, NetworkTraining, Runtime
from modelyard.models.families import autoencoder, baseline, boosting, cnn, detector, linear, mlp, recurrent, transfer

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "EstimatorTraining",
    "Model",
    "ModelSettings",
    "NetworkTraining",
    "Runtime",
    "TrainingContext",
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
    "mlp": (keras_model, mlp),
    "cnn": (keras_model, cnn),
    "recurrent": (keras_model, recurrent),
    "autoencoder": (keras_model, autoencoder),
    "detector": (keras_model, detector),
    "transfer": (transfer, transfer),
    "linear": (sklearn_model, linear),
    "boosting": (sklearn_model, boosting),
    "baseline": (sklearn_model, baseline),
}


def is_estimator(family: str) -> bool:
    """Whether a family is of the scikit-learn kind."""
    return family in _FAMILIES and _FAMILIES[family][0] is sklearn_model


def tasks_of(family: str) -> tuple[Task, ...]:
    """The tasks that a family can be trained for."""
    return getattr(_FAMILIES[family][1], "TASKS", ("classification", "regression"))


def task_of(family: str, of_data: Task) -> Task:
    """What a family makes of a data set: its task, but an autoencoder restores the rows of any."""
    return "reconstruction" if "reconstruction" in tasks_of(family) else of_data


def fit(
    settings: Settings, training: Settings, data: TrainingInput, context: TrainingContext
) -> tuple[Model, "pd.DataFrame"]:
    """Build and fit a model.

    Returns the model and its history: one row an epoch, the loss and metric of training and validation rows.
    """
    kind, family = _FAMILIES[settings.family]
    description = data.description.model_copy(update={"task": task_of(settings.family, data.description.task)})
    data = TrainingInput(description, data.samples)
    if hasattr(family, "check"):
        family.check(data, settings)
    return kind.fit(family, settings, training, data, context)


def load(folder: Path) -> Model:
    """Load a saved model of any kind."""
    kind = keras_model if (folder / keras_model.FILE).exists() else sklearn_model
    return kind.load(folder)
