"""Transfer learning: dense layers on the features of a network that was trained on another task."""

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
    """Settings of a second training, in which the backbone is trained as well."""

    epochs: int = Field(ge=1)
    learning_rate: float = Field(gt=0, description="small, or the backbone's pretrained weights are lost at once")


class Settings(Base):
    """Hyperparameters of a transfer."""

    family: Literal["transfer"]
    backbone: str = Field(description="the experiment whose network gives the features, or an entry of `backbones`")
    layer: str = Field(default="features", description="the backbone's layer that gives them")
    units: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(), description="neurons of each dense layer on top")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="after each of them")
    fine_tuning: FineTuning | None = Field(default=None, description="null: the backbone stays frozen")


def fit(
    _: Any, settings: Settings, training: NetworkTraining, data: TrainingInput, context: TrainingContext
) -> tuple[keras_model.KerasModel, "pd.DataFrame"]:
    """Compute the backbone's features once, fit a perceptron on them, and join both (see `models.fit`)."""
    import keras

    if context.backbone is None:
        raise ModelyardError(f"family transfer needs the folder of its backbone {settings.backbone}: --backbone FOLDER")
    keras_model.reset(training, context)
    backbone = backbones.load(context.backbone, settings.layer, data.description)
    head_settings = mlp.Settings(family="mlp", units=settings.units, dropout=settings.dropout)
    first = replace(context, state=None) if settings.fine_tuning else context  # which takes most of the time
    fitted, history = keras_model.fit_native(mlp, head_settings, training, _features(backbone, data), first)
    head = keras_model.without_optimizer(fitted, "head")
    raw = keras.Input(data.description.shape, dtype=data.description.network_dtype, name="raw")
    network = keras.Model(raw, head(backbone(raw)))
    if settings.fine_tuning:
        history = _fine_tune(network, backbone, settings.fine_tuning, training, data, context, history)
    return keras_model.KerasModel(keras_model.in_target_unit(network, data.description), data.description), history


def _features(backbone: Any, data: TrainingInput) -> TrainingInput:
    """Replace samples by the backbone's features (n, k), which are the same in every epoch while it is frozen."""
    features = keras_model.predict_native(backbone, np.asarray(data.samples.x, dtype=data.description.network_dtype))
    features = features.reshape(len(features), -1)
    changes = {"shape": features.shape[1:], "dtype": "float32", "scaling": "none", "scaler": Scaler()}
    description = InputDescription.model_validate(
        data.description.model_dump() | changes | {"features": (), "words": ()}
    )
    return TrainingInput(description, Samples(features, data.samples.y))


def _fine_tune(
    network: Any,
    backbone: Any,
    settings: FineTuning,
    training: NetworkTraining,
    data: TrainingInput,
    context: TrainingContext,
    history: "pd.DataFrame",
) -> "pd.DataFrame":
    """Train all layers for some more epochs; return the history of both trainings."""
    import pandas as pd

    backbone.trainable = True
    second = training.model_copy(update={"epochs": settings.epochs, "learning_rate": settings.learning_rate})

    def report(metrics: dict[str, float]) -> None:
        context.report(metrics | {"epoch": metrics["epoch"] + len(history)})

    further = keras_model.compile_and_fit(network, second, data, replace(context, report=report))
    table = pd.concat([history, further], ignore_index=True)
    table["epoch"] = np.arange(1, len(table) + 1)
    return table
