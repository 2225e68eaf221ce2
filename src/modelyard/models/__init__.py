"""Models: families, each with its settings, and the engines that fit, save and load them.

A new family is one module in `families/` with a `Settings` and a `build`, its entry in `_FAMILIES` and its `Settings`
in `ModelSettings`. It may have `TASKS` (tasks that it can be trained for; by default classification and regression),
`check` (refuses an input before anything is built), `submodels` (further models that share the weights),
`NATIVE_CATEGORIES` (true: it takes numbers of categories as they are) and `TAKES_GAPS` (true: numbers may be missing).
"""

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from modelyard.core.errors import ModelyardError
from modelyard.data.decision_threshold import Goal, check_threshold, check_validation, choose_threshold
from modelyard.data.inputs import InputDescription, TrainingInput
from modelyard.data.preprocessing import by_feature
from modelyard.data.samples import Task
from modelyard.models.engine import keras_model, sklearn_model
from modelyard.models.engine.base import Model, TrainingContext
from modelyard.models.engine.runtime import Runtime, device_name
from modelyard.models.engine.tasks import TASKS
from modelyard.models.engine.training_settings import EstimatorTraining, NetworkTraining
from modelyard.models.families import (
    autoencoder,
    baseline,
    boosting,
    cnn,
    decoded,
    detector,
    forest,
    histogram_boosting,
    linear,
    logistic,
    mlp,
    perceptron,
    recurrent,
    transfer,
)

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
    "device_name",
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
    | logistic.Settings
    | perceptron.Settings
    | boosting.Settings
    | histogram_boosting.Settings
    | forest.Settings
    | baseline.Settings,
    Field(discriminator="family"),
]

TransferSettings = Annotated[transfer.Settings | decoded.Settings, Field(discriminator="family")]

_DEFAULT_TASKS: tuple[Task, ...] = ("classification", "regression")

_FAMILIES: dict[str, tuple[ModuleType, ModuleType]] = {  # the module that fits it, the family's own module
    "mlp": (keras_model, mlp),
    "cnn": (keras_model, cnn),
    "recurrent": (keras_model, recurrent),
    "autoencoder": (keras_model, autoencoder),
    "detector": (keras_model, detector),
    "transfer": (transfer, transfer),
    "decoded": (decoded, decoded),
    "linear": (sklearn_model, linear),
    "logistic": (sklearn_model, logistic),
    "perceptron": (sklearn_model, perceptron),
    "boosting": (sklearn_model, boosting),
    "histogram_boosting": (sklearn_model, histogram_boosting),
    "forest": (sklearn_model, forest),
    "baseline": (sklearn_model, baseline),
}


def is_estimator(family: str) -> bool:
    """Whether the models of a family are scikit-learn estimators."""
    return family in _FAMILIES and _FAMILIES[family][0] is sklearn_model


def tasks_of(family: str) -> tuple[Task, ...]:
    """Return the tasks that a family can be trained for."""
    tasks: tuple[Task, ...] = getattr(_FAMILIES[family][1], "TASKS", _DEFAULT_TASKS)
    return tasks


def task_of(family: str, of_data: Task) -> Task:
    """Return the task of a family on a data set: that of the data set, unless the family's own uses no targets."""
    return next((task for task in tasks_of(family) if not TASKS[task].uses_targets), of_data)


def fit(
    settings: ModelSettings | TransferSettings,
    training: NetworkTraining | EstimatorTraining,
    data: TrainingInput,
    context: TrainingContext,
) -> tuple[Model, "pd.DataFrame"]:
    """Build and fit a model.

    Returns:
        The model and its history: one row per epoch with the loss and metric of training and validation samples.
    """
    engine, family = _FAMILIES[settings.family]
    task = task_of(settings.family, data.description.task)
    unused = {} if TASKS[task].uses_targets else {"target_scaler": None}
    data = TrainingInput(data.description.model_copy(update={"task": task} | unused), data.samples)
    _check_columns(data.description, settings.family)
    if hasattr(family, "check"):
        family.check(data, settings)
    if training.threshold:
        check_threshold(task, len(data.description.classes), data.description.validation_samples)
        check_validation(data.validation, data.description.classes)
    model, history = engine.fit(family, settings, training, data, context)
    if training.threshold:
        model.description = _with_threshold(model, training.threshold, data)
    return model, history


def _with_threshold(model: Model, goal: Goal, data: TrainingInput) -> InputDescription:
    validation = data.validation
    threshold = choose_threshold(goal, np.asarray(validation.y), model.predict(validation.x)[:, 1])
    return model.description.model_copy(update={"threshold": threshold})


def _check_columns(description: InputDescription, family: str) -> None:
    """Refuse gaps and categories for a family that cannot take them."""
    preprocessing = description.preprocessing
    if preprocessing is None:
        return
    if not TASKS[description.task].uses_targets:
        raise ModelyardError(
            f"{family} is for inputs of numbers without gaps, and this one has categories, dates or an `imputation`: "
            "take an input without them."
        )
    taking = [name for name, (_, module) in _FAMILIES.items() if getattr(module, "TAKES_GAPS", False)]
    if preprocessing.keeps_gaps and family not in taking:
        kept = [
            feature.column.name
            for feature in by_feature(description.columns)
            if feature.position in preprocessing.numbers
            and preprocessing.imputation[feature.position].strategy == "keep"
        ]
        names = ", ".join(dict.fromkeys(kept))
        raise ModelyardError(
            f"{family} takes no gaps, and this input keeps those of {names}: give them `imputation: median`, or take "
            f"one of {', '.join(taking)}."
        )


def load(folder: Path, runtime: Runtime | None = None) -> Model:
    """Load a saved model of any family; with a runtime, the bits of its predictions depend on no number of cores."""
    if (folder / keras_model.FILE).exists():
        return keras_model.load(folder, runtime)
    return sklearn_model.load(folder)
