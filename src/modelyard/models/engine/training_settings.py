"""Settings of a training: of Keras networks, and of scikit-learn estimators."""

from operator import not_
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from pydantic import Field, model_validator

from modelyard.core.config import Settings
from modelyard.data.decision_threshold import Goal
from modelyard.metrics.definitions import find_metric, monitored_metrics
from modelyard.models.engine.tasks import loss_names

if TYPE_CHECKING:  # a type checker takes no computed Literal
    import pandas as pd

    Loss = str
    Monitor = str
else:
    Loss = Literal[*loss_names()]
    Monitor = Literal[*monitored_metrics()]


class EarlyStopping(Settings):
    """Stop when the monitored metric has not improved for `patience` epochs."""

    monitor: Monitor = "val_loss"
    patience: int = Field(ge=1)
    restore_best: bool = Field(
        default=False,
        exclude_if=not_,
        description="the model gets the weights of its best epoch, also of a training that was not stopped; false: it "
        "keeps the last epoch's",
    )


class ConstantSchedule(Settings):
    """The learning rate stays as it is."""

    kind: Literal["constant"]


class CosineSchedule(Settings):
    """The learning rate falls with each step along half a cosine, after it has risen linearly during the warm-up."""

    kind: Literal["cosine"]
    epochs: int | None = Field(
        default=None,
        ge=1,
        exclude_if=not_,
        description="until its end, with those of the warm-up; null: all of the training",
    )
    warmup_epochs: int = Field(default=0, ge=0, exclude_if=not_)
    alpha: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        exclude_if=not_,
        description="the fraction of the learning rate that is left at its end",
    )


class PlateauSchedule(Settings):
    """The learning rate is multiplied by `factor` when the monitored metric has not improved for `patience` epochs.

    As in Keras, it has improved if it is better by 0.0001 or more.
    """

    kind: Literal["reduce_on_plateau"]
    monitor: Monitor = Field(default="val_loss", exclude_if="val_loss".__eq__)
    factor: float = Field(default=0.1, gt=0, lt=1, exclude_if=(0.1).__eq__)
    patience: int = Field(default=10, ge=1, exclude_if=(10).__eq__)
    min_learning_rate: float = Field(default=0.0, ge=0, exclude_if=not_)


Schedule = Annotated[ConstantSchedule | CosineSchedule | PlateauSchedule, Field(discriminator="kind")]


class Augmentation(Settings):
    """Random changes of each training image, other ones in each epoch; validation and predictions are without them.

    What a change leaves empty is filled with the image's reflection.
    """

    flip: Literal["none", "horizontal", "vertical", "both"] = Field(
        default="none", exclude_if="none".__eq__, description="half of the images; both: each direction by itself"
    )
    shift: float = Field(
        default=0.0, ge=0, lt=1, exclude_if=not_, description="up to this fraction of the height and of the width"
    )
    rotate: float = Field(
        default=0.0, ge=0, le=180, exclude_if=not_, description="up to so many degrees in either direction"
    )
    zoom: float = Field(default=0.0, ge=0, lt=1, exclude_if=not_, description="in or out, up to this fraction")


class TrainingSettings(Settings):
    """What the trainings of networks and of estimators have in common."""

    seed: int = Field(ge=0, lt=2**32)
    class_weights: Literal["none", "balanced"] = Field(
        default="none",
        exclude_if="none".__eq__,
        description="of a classification; balanced: training samples of a rare class count more, so that each class "
        "counts the same in all (scikit-learn's rule). Validation and metrics stay unweighted",
    )
    threshold: Goal | None = Field(
        default=None,
        exclude_if=not_,
        description="of two classes: after the training, choose the probability from which the second class is "
        "predicted, so that the validation samples have the best f1 (of the second class) or balanced_accuracy, or the "
        "lowest mean cost of the two errors: {false_positive: 1, false_negative: 5}. The default is 0.5",
    )

    @property
    def is_steered_by_validation(self) -> bool:
        """Whether the validation samples influence the trained model."""
        return self.threshold is not None


class NetworkTraining(TrainingSettings):
    """How a Keras network is trained."""

    epochs: int = Field(ge=1)
    batch_size: int = Field(default=32, ge=1)
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"] = "adam"
    learning_rate: float | None = Field(default=None, gt=0, description="null: the optimizer's default")
    schedule: Schedule | None = Field(
        default=None, exclude_if=not_, description="how the learning rate changes during the training; null: constant"
    )
    weight_decay: float | None = Field(
        default=None, gt=0, exclude_if=not_, description="of adamw; null: its default, 0.004"
    )
    loss: Loss
    early_stopping: EarlyStopping | None = None
    checkpoint: Monitor | None = Field(
        default=None, description="keep the weights of the best epoch beside the model, which has the last epoch's"
    )
    shuffle_buffer: int | None = Field(
        default=None, ge=1, description="of tf.data's shuffle, in samples; null: all, as Keras does"
    )
    reshuffle_before_split: bool = Field(
        default=False, description="the leak of notebook 002: each epoch draws its validation samples again"
    )

    augmentation: Augmentation | None = Field(
        default=None, exclude_if=not_, description="of a classification or regression of images; null: none"
    )

    @model_validator(mode="after")
    def _schedule_fits(self) -> "NetworkTraining":
        if isinstance(self.schedule, CosineSchedule):
            until = self.schedule.epochs or self.epochs
            if until > self.epochs:
                raise ValueError(
                    f"the cosine schedule has {until} epochs, the training has {self.epochs}: lower schedule.epochs, "
                    "or leave it out for all of the training"
                )
            if self.schedule.warmup_epochs >= until:
                raise ValueError(
                    f"schedule.warmup_epochs is {self.schedule.warmup_epochs}, and the schedule has {until} epochs: "
                    "set fewer, so that the learning rate can fall"
                )
        if isinstance(self.schedule, PlateauSchedule):
            if self.schedule.patience >= self.epochs:
                raise ValueError(
                    f"schedule.patience is {self.schedule.patience}, and the training has {self.epochs} epochs, so "
                    "that the learning rate would never change: set a smaller one"
                )
            if self.learning_rate is not None and self.schedule.min_learning_rate >= self.learning_rate:
                raise ValueError(
                    f"schedule.min_learning_rate {self.schedule.min_learning_rate} is not below learning_rate "
                    f"{self.learning_rate}"
                )
        return self

    @model_validator(mode="after")
    def _only_adamw_decays_weights(self) -> "NetworkTraining":
        if self.weight_decay is not None and self.optimizer != "adamw":
            raise ValueError(f"weight_decay is for the optimizer adamw, not {self.optimizer}: leave out one of them")
        return self

    @property
    def monitors(self) -> dict[str, str]:
        """The metrics of the validation samples that are monitored, by the key of the setting."""
        found = {
            "early_stopping.monitor": self.early_stopping and self.early_stopping.monitor,
            "checkpoint": self.checkpoint,
            "schedule.monitor": self.schedule.monitor if isinstance(self.schedule, PlateauSchedule) else None,
        }
        return {key: monitor for key, monitor in found.items() if monitor}

    @property
    def needs_validation(self) -> tuple[str, ...]:
        """The keys of the settings that need validation samples."""
        keys = [key.partition(".")[0] for key in self.monitors]
        return (*keys, *(["reshuffle_before_split"] if self.reshuffle_before_split else []))

    @property
    def is_steered_by_validation(self) -> bool:
        """Whether the validation samples influence the trained model."""
        reduces = isinstance(self.schedule, PlateauSchedule)
        steers = self.early_stopping is not None or self.reshuffle_before_split or reduces
        return super().is_steered_by_validation or steers


class EstimatorTraining(TrainingSettings):
    """How a scikit-learn estimator is trained: all else belongs to the model settings."""


def trained_epoch(training: Settings, history: "pd.DataFrame") -> int:
    """Return the position in a history of the epoch whose weights the trained model has: the last, or the best."""
    stopping = getattr(training, "early_stopping", None)
    if stopping is None or not stopping.restore_best:
        return len(history) - 1
    values = history[stopping.monitor]
    return int(values.argmax() if find_metric(stopping.monitor).higher_is_better else values.argmin())


AnyTraining = TypeVar("AnyTraining", bound=Settings)


def without_checkpoint(training: AnyTraining) -> AnyTraining:
    """Return the settings of a training that saves no weights of its best epoch, for a model that is not kept."""
    return training.model_copy(update={"checkpoint": None}) if "checkpoint" in type(training).model_fields else training
