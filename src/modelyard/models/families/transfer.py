"""Transfer learning: dense layers on the features of a network that was trained on something else."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from modelyard.core.config import Settings as Base
from modelyard.core.errors import ModelyardError
from modelyard.data.inputs import InputDescription, TrainingInput
from modelyard.data.samples import Samples
from modelyard.data.scaling import Scaler
from modelyard.models.engine import keras_model
from modelyard.models.engine.base import TrainingContext
from modelyard.models.engine.training_settings import NetworkTraining
from modelyard.models.families import backbones, mlp

if TYPE_CHECKING:
    import pandas as pd


class FineTuning(Base):
    """A second training, in which the backbone learns as well."""

    epochs: int = Field(ge=1)
    learning_rate: float = Field(gt=0, description="small, or what the backbone knows is lost at once")


class Settings(Base):
    """Hyperparameters of a transfer."""

    family: Literal["transfer"]
    backbone: str = Field(description="the experiment whose network gives the features, or an entry of `backbones`")
    layer: str = Field(default="features", description="the backbone's layer that gives them")
    units: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(), description="neurons of each dense layer on top")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="after each of them")
    fine_tuning: FineTuning | None = Field(default=None, description="null: the backbone stays as it is")


def fit(
    _: Any, settings: Settings, training: NetworkTraining, data: TrainingInput, context: TrainingContext
) -> tuple[keras_model.Network, "pd.DataFrame"]:
    """Compute the backbone's features once, fit a perceptron on them, join both (see `models.fit`)."""
    import keras

    if context.backbone is None:
        raise ModelyardError(f"family transfer needs the folder of its backbone {settings.backbone}: --backbone FOLDER")
    keras_model.start(training, context)
    backbone = backbones.load(context.backbone, settings.layer, data.description)
    top = mlp.Settings(family="mlp", units=settings.units, dropout=settings.dropout)
    fitted, history = keras_model.fit(mlp, top, training, _features(backbone, data), context)
    head = keras_model.without_optimizer(fitted.native, "head")
    raw = keras.Input(data.description.shape, dtype=data.description.network_dtype, name="raw")
    whole = keras.Model(raw, head(backbone(raw)))
    if settings.fine_tuning:
        history = _tuned(whole, backbone, settings.fine_tuning, training, data, context, history)
    return keras_model.Network(whole, data.description), history


def _features(backbone: Any, data: TrainingInput) -> TrainingInput:
    """The rows as the backbone's features (n, k); a frozen backbone would give the same in every epoch."""
    features = keras_model.ask(backbone, np.asarray(data.samples.x, dtype=data.description.network_dtype))
    features = features.reshape(len(features), -1)
    changes = {"shape": features.shape[1:], "dtype": "float32", "scaling": "none", "scaler": Scaler()}
    description = InputDescription.model_validate(
        data.description.model_dump() | changes | {"features": (), "words": ()}
    )
    return TrainingInput(description, Samples(features, data.samples.y))


def _tuned(
    whole: Any,
    backbone: Any,
    tuning: FineTuning,
    training: NetworkTraining,
    data: TrainingInput,
    context: TrainingContext,
    history: "pd.DataFrame",
) -> "pd.DataFrame":
    """Train everything for some more epochs; returns the history of both trainings."""
    import pandas as pd

    backbone.trainable = True
    second = training.model_copy(update={"epochs": tuning.epochs, "learning_rate": tuning.learning_rate})
    further = replace(context, report=lambda told: context.report(told | {"epoch": told["epoch"] + len(history)}))
    table = pd.concat([history, keras_model.compile_and_fit(whole, second, data, further)], ignore_index=True)
    table["epoch"] = np.arange(1, len(table) + 1)
    return table
