"""How a model is trained, and how that uses the machine: the settings of both kinds."""

from typing import Literal

from pydantic import Field

from modelyard.core.config import Settings
from modelyard.models.engine.output_layer import Loss

Monitor = Literal["val_loss", "val_accuracy", "val_mae"]


class EarlyStopping(Settings):
    """Stop when the monitored figure has not improved for `patience` epochs."""

    monitor: Monitor = "val_loss"
    patience: int = Field(ge=1)


class NetworkTraining(Settings):
    """How a network is trained."""

    seed: int = Field(ge=0, lt=2**32)
    epochs: int = Field(ge=1)
    batch_size: int = Field(default=32, ge=1)
    optimizer: Literal["adam", "sgd", "rmsprop"] = "adam"
    learning_rate: float | None = Field(default=None, gt=0, description="null: the optimizer's default")
    loss: Loss
    early_stopping: EarlyStopping | None = None
    checkpoint: Monitor | None = Field(
        default=None, description="keep the weights of the best epoch beside the model, which has the last epoch's"
    )
    shuffle_buffer: int | None = Field(default=None, ge=1, description="tf.data's shuffle; null: all rows, as Keras")
    reshuffle_before_split: bool = Field(
        default=False, description="the leak of notebook 002: each epoch draws its validation rows anew"
    )


class EstimatorTraining(Settings):
    """How an estimator is trained: all but the seed is the model's own."""

    seed: int = Field(ge=0, lt=2**32)


class Runtime(Settings):
    """The section `runtime`: it may change the last bits of a result, so every training depends on it."""

    threads: int = Field(default=1, ge=1, description="of one training; fixed, because sums over threads round by it")
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    steps_per_execution: int = Field(default=64, ge=1, description="at most; changes speed only")
