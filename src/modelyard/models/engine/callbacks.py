"""What happens between the epochs of a network's training."""

import math
from collections.abc import Callable
from pathlib import Path

import keras

from modelyard.core.errors import ModelyardError
from modelyard.models.engine.training_settings import NetworkTraining


def callbacks(training: NetworkTraining, checkpoint: Path, report: Callable[[dict[str, float]], None]) -> list:
    """The callbacks that a training's settings ask for."""
    chosen: list[keras.callbacks.Callback] = [FiniteLoss(training), Report(report)]
    if training.checkpoint:
        chosen.append(
            keras.callbacks.ModelCheckpoint(
                str(checkpoint), monitor=training.checkpoint, save_best_only=True, save_weights_only=True
            )
        )
    if training.early_stopping:
        stopping = training.early_stopping
        chosen.append(keras.callbacks.EarlyStopping(monitor=stopping.monitor, patience=stopping.patience))
    return chosen


class FiniteLoss(keras.callbacks.Callback):
    """Stops a training whose loss is no number any more, with advice."""

    def __init__(self, training: NetworkTraining) -> None:
        super().__init__()
        self._training = training

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            raise ModelyardError(
                f"the loss became {loss} in epoch {epoch + 1} of {self._training.epochs}: training has diverged. "
                f"Give training.learning_rate a smaller value (optimizer {self._training.optimizer}, learning_rate "
                f"{self._training.learning_rate or 'default'}), or scale the input (inputs.<input>.scaling)."
            )


class Report(keras.callbacks.Callback):
    """Tells the figures of each epoch to whoever listens."""

    def __init__(self, report: Callable[[dict[str, float]], None]) -> None:
        super().__init__()
        self._report = report

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._report({"epoch": epoch + 1, **in_reading_order(logs or {})})


def in_reading_order(logs: dict) -> dict:
    """Loss, metric, then the same of the validation rows; Keras has them by the alphabet."""
    return dict(sorted(logs.items(), key=lambda item: (item[0].startswith("val_"), "loss" not in item[0])))
