"""Decoded samples: a perceptron trained on its samples and on more that the decoder of an autoencoder makes up.

The codes lie between those of two samples of one class (DeVries and Taylor 2017, *Dataset augmentation in feature
space*).
"""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from modelyard.core.config import Settings as Base
from modelyard.core.errors import ModelyardError
from modelyard.data.inputs import TrainingInput
from modelyard.data.samples import Samples, Task
from modelyard.models.engine import keras_model
from modelyard.models.engine.base import TrainingContext
from modelyard.models.engine.training_settings import NetworkTraining
from modelyard.models.families import mlp

if TYPE_CHECKING:
    import pandas as pd

TASKS: tuple[Task, ...] = ("classification",)


class Settings(Base):
    """Hyperparameters of a perceptron with decoded samples."""

    family: Literal["decoded"]
    backbone: str = Field(description="the experiment whose autoencoder makes up the samples")
    decoded_samples: int = Field(ge=1, description="number of samples that are made up, beside the training samples")
    units: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(), description="neurons of each hidden layer")


def fit(
    _: Any, settings: Settings, training: NetworkTraining, data: TrainingInput, context: TrainingContext
) -> tuple[keras_model.KerasModel, "pd.DataFrame"]:
    """Make up samples of each class and fit a perceptron on them and on the training samples (see `models.fit`)."""
    if context.backbone is None:
        raise ModelyardError(
            f"family decoded needs the folder of its autoencoder {settings.backbone}: --backbone FOLDER"
        )
    keras_model.reset(training, context)
    autoencoder = keras_model.load(context.backbone)
    decoded = _decode(autoencoder, data, settings, training.seed)
    head = mlp.Settings(family="mlp", units=settings.units)
    native, history = keras_model.fit_native(mlp, head, training, _joined(data, decoded), context)
    return keras_model.KerasModel(native, data.description), history


def _decode(autoencoder: keras_model.KerasModel, data: TrainingInput, settings: Settings, seed: int) -> Samples:
    """Decode codes between those of two training samples of one class, which the new sample is of as well."""
    theirs, ours = autoencoder.description, data.description
    if "decoder" not in autoencoder.submodels:
        raise ModelyardError(f"{settings.backbone} has no decoder: name an experiment of the family autoencoder.")
    if (theirs.shape, theirs.network_dtype) != (ours.shape, ours.network_dtype):
        raise ModelyardError(
            f"the autoencoder {settings.backbone} takes samples of shape {theirs.shape} and type "
            f"{theirs.network_dtype}; this input has {ours.shape} and {ours.network_dtype}."
        )
    x, y = np.asarray(data.training.x, dtype=ours.network_dtype), np.asarray(data.training.y)
    codes = keras_model.predict_native(autoencoder.submodels["encoder"], x)
    rng = np.random.default_rng(seed)
    first = rng.integers(len(y), size=settings.decoded_samples)
    second = np.array([rng.choice(np.flatnonzero(y == label)) for label in y[first]])
    weight = rng.random((settings.decoded_samples, 1), dtype=np.float32)
    between = weight * codes[first] + (1 - weight) * codes[second]
    scaled = keras_model.predict_native(autoencoder.submodels["decoder"], between)
    return Samples(_raw(scaled, autoencoder, x), y[first])


def _raw(scaled: np.ndarray, autoencoder: keras_model.KerasModel, like: np.ndarray) -> np.ndarray:
    """Invert the scaling of decoded samples (n, ...), within the range of the training samples."""
    raw = np.clip(autoencoder.description.scaler.inverse_transform(scaled), like.min(), like.max())
    return (np.rint(raw) if like.dtype.kind == "u" else raw).astype(like.dtype)


def _joined(data: TrainingInput, decoded: Samples) -> TrainingInput:
    """The decoded samples after the training samples; the validation samples stay the last."""
    parts = (data.training, decoded, data.validation)
    samples = Samples(np.concatenate([each.x for each in parts]), np.concatenate([each.y for each in parts]))
    count = data.description.training_samples + len(decoded)
    return TrainingInput(data.description.model_copy(update={"training_samples": count}), samples)
