"""Settings of a training: of Keras networks, and of scikit-learn estimators."""

from operator import not_
from typing import TYPE_CHECKING, Literal, TypeVar

from pydantic import Field

from modelyard.core.config import Settings
from modelyard.data.decision_threshold import Goal
from modelyard.metrics.definitions import monitored_metrics
from modelyard.models.engine.tasks import loss_names

if TYPE_CHECKING:  # a type checker takes no computed Literal
    Loss = str
    Monitor = str
else:
    Loss = Literal[*loss_names()]
    Monitor = Literal[*monitored_metrics()]


class EarlyStopping(Settings):
    """Stop when the monitored metric has not improved for `patience` epochs."""

    monitor: Monitor = "val_loss"
    patience: int = Field(ge=1)


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
    optimizer: Literal["adam", "sgd", "rmsprop"] = "adam"
    learning_rate: float | None = Field(default=None, gt=0, description="null: the optimizer's default")
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

    @property
    def is_steered_by_validation(self) -> bool:
        """Whether the validation samples influence the trained model."""
        return super().is_steered_by_validation or self.early_stopping is not None or self.reshuffle_before_split


class EstimatorTraining(TrainingSettings):
    """How a scikit-learn estimator is trained: all else belongs to the model settings."""


AnyTraining = TypeVar("AnyTraining", bound=Settings)


def without_checkpoint(training: AnyTraining) -> AnyTraining:
    """Return the settings of a training that saves no weights of its best epoch, for a model that is not kept."""
    return training.model_copy(update={"checkpoint": None}) if "checkpoint" in type(training).model_fields else training
