"""Keras callbacks of a training."""

import math
from pathlib import Path
from typing import TypeVar

import keras

from modelyard.core.errors import ModelyardError
from modelyard.metrics.definitions import find_metric
from modelyard.models.engine.base import ReportEpoch
from modelyard.models.engine.training_settings import NetworkTraining

AnyValue = TypeVar("AnyValue")


def callbacks(training: NetworkTraining, checkpoint: Path, report: ReportEpoch) -> list[keras.callbacks.Callback]:
    """Return the callbacks that the training settings ask for; `checkpoint` is the file of the best weights."""
    chosen: list[keras.callbacks.Callback] = [FiniteLoss(training), EpochReporter(report)]
    if training.checkpoint:
        best = {"save_best_only": True, "save_weights_only": True}
        chosen.append(keras.callbacks.ModelCheckpoint(str(checkpoint), **_monitor(training.checkpoint), **best))
    if training.early_stopping:
        stopping = training.early_stopping
        chosen.append(keras.callbacks.EarlyStopping(**_monitor(stopping.monitor), patience=stopping.patience))
    return chosen


def _monitor(name: str) -> dict[str, str]:
    """A monitored metric with its direction, which Keras only knows of its own metrics."""
    return {"monitor": name, "mode": "max" if find_metric(name).higher_is_better else "min"}


class FiniteLoss(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
    """Stops a training whose loss is not finite, with advice."""

    def __init__(self, training: NetworkTraining) -> None:
        super().__init__()
        self._training = training

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Raise a `ModelyardError` if the loss is not finite."""
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            raise ModelyardError(
                f"the loss became {loss} in epoch {epoch + 1} of {self._training.epochs}: training has diverged. "
                f"Give training.learning_rate a smaller value (optimizer {self._training.optimizer}, learning_rate "
                f"{self._training.learning_rate or 'default'}), or scale the input (inputs.<input>.scaling; "
                "of a regression also target_scaling)."
            )


class EpochReporter(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
    """Passes the metrics of each epoch on; `epoch` is its number, from 1."""

    def __init__(self, report: ReportEpoch) -> None:
        super().__init__()
        self._report = report

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Report the metrics."""
        self._report({"epoch": epoch + 1, **in_reading_order(logs or {})})


def in_reading_order(logs: dict[str, AnyValue]) -> dict[str, AnyValue]:
    """Sort a history: loss, metric, then the same of the validation samples; Keras sorts by the alphabet."""
    return dict(sorted(logs.items(), key=lambda item: (item[0].startswith("val_"), "loss" not in item[0])))
