"""Keras callbacks of a training."""

import logging
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import keras
import numpy as np

from modelyard.core.errors import ModelyardError
from modelyard.metrics.definitions import find_metric
from modelyard.models.engine.base import ReportEpoch
from modelyard.models.engine.training_settings import NetworkTraining, PlateauSchedule
from modelyard.models.engine.training_state import EpochState, StateFile

AnyValue = TypeVar("AnyValue")

SECONDS_BETWEEN_STATES = 10.0  # a short training writes none
COUNTERS = {  # what Keras's callbacks carry from one epoch to the next
    "BestWeights": ("best",),
    "EarlyStopping": ("wait", "best", "best_epoch"),
    "ReduceLROnPlateau": ("wait", "best", "cooldown_counter"),
}


def callbacks(
    training: NetworkTraining, native: keras.Model, checkpoint: Path, report: ReportEpoch
) -> list[keras.callbacks.Callback]:
    """Return the callbacks that the training settings ask for.

    Args:
        training: The training settings.
        native: The network that is kept, without augmentation.
        checkpoint: The file of its best weights.
        report: Is called with the metrics of each epoch.
    """
    chosen: list[keras.callbacks.Callback] = [FiniteLoss(training)]
    if training.schedule and training.schedule.kind != "constant":
        chosen.append(LearningRate())
    chosen.append(EpochReporter(report))
    if training.checkpoint:
        chosen.append(BestWeights(native, checkpoint, training.checkpoint))
    if training.early_stopping:
        stopping = training.early_stopping
        restores = {"restore_best_weights": stopping.restore_best}
        chosen.append(
            keras.callbacks.EarlyStopping(**_monitor(stopping.monitor), patience=stopping.patience, **restores)
        )
    if isinstance(training.schedule, PlateauSchedule):
        schedule = training.schedule
        options = {"factor": schedule.factor, "patience": schedule.patience, "min_lr": schedule.min_learning_rate}
        chosen.append(keras.callbacks.ReduceLROnPlateau(**_monitor(schedule.monitor), **options))
    return chosen


def _monitor(name: str) -> dict[str, str]:
    """A monitored metric with its direction, which Keras only knows of its own metrics."""
    return {"monitor": name, "mode": "max" if find_metric(name).higher_is_better else "min"}


class TrainingDiverged(ModelyardError):
    """The loss of a training is not finite."""


class FiniteLoss(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
    """Stops a training whose loss is not finite, with advice."""

    def __init__(self, training: NetworkTraining) -> None:
        super().__init__()
        self._training = training

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Raise `TrainingDiverged` if the loss is not finite."""
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            raise TrainingDiverged(
                f"the loss became {loss} in epoch {epoch + 1} of {self._training.epochs}: training has diverged. "
                f"Give training.learning_rate a smaller value (optimizer {self._training.optimizer}, learning_rate "
                f"{self._training.learning_rate or 'default'}), or scale the input (inputs.<input>.scaling; "
                "of a regression also target_scaling)."
            )


class LearningRate(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
    """Adds to each epoch's metrics the learning rate at its start, under the name that Keras's callbacks use."""

    def on_epoch_begin(self, _epoch: int, _logs: dict[str, float] | None = None) -> None:
        """Read the learning rate."""
        self._rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))

    def on_epoch_end(self, _epoch: int, logs: dict[str, float]) -> None:
        """Add it to the metrics."""
        logs["learning_rate"] = self._rate


class EpochReporter(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
    """Collects the metrics of each epoch in `rows`, and passes them on with `epoch`, its number from 1."""

    def __init__(self, report: ReportEpoch) -> None:
        super().__init__()
        self._report = report
        self.rows: list[dict[str, float]] = []

    def on_epoch_end(self, _epoch: int, logs: dict[str, float] | None = None) -> None:
        """Collect and report the metrics."""
        self.rows.append(in_reading_order(logs or {}))
        self._report({"epoch": len(self.rows), **self.rows[-1]})

    def repeat(self, rows: Sequence[dict[str, float]]) -> None:
        """Collect and report the epochs before those of this process."""
        for row in rows:
            self.on_epoch_end(len(self.rows), row)


class BestWeights(keras.callbacks.ModelCheckpoint):  # type: ignore[misc]  # keras has no types
    """Keras's checkpoint of the best weights, of the network that is kept: the trained one may have an augmentation."""

    def __init__(self, native: keras.Model, file: Path, monitor: str) -> None:
        super().__init__(str(file), **_monitor(monitor), save_best_only=True, save_weights_only=True)
        self._native = native

    def set_model(self, _model: keras.Model) -> None:
        """Save the weights of the kept network, whatever is trained."""
        super().set_model(self._native)


class StateKeeper(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
    """Keeps the state of a long training after an epoch, and starts from a kept one; the last of the callbacks."""

    def __init__(self, file: StateFile, others: Sequence[keras.callbacks.Callback], checkpoint: Path) -> None:
        super().__init__()
        self._file, self._others, self._checkpoint = file, others, checkpoint
        self._reporter = next(each for each in others if isinstance(each, EpochReporter))
        self._kept = file.read()
        self._written = time.monotonic()

    @property
    def epochs(self) -> int:
        """The number of epochs before this process."""
        return len(self._kept.history) if self._kept else 0

    def on_train_begin(self, _logs: dict[str, float] | None = None) -> None:
        """Restore the kept state: the other callbacks have reset theirs."""
        if self._kept is None:
            return
        self.model.optimizer.build(self.model.trainable_variables)
        arrays = self._kept.arrays
        for number, variable in enumerate(self._variables()):
            variable.assign(arrays[f"variable_{number}"])
        for callback in self._others:
            for name, value in self._kept.callbacks.get(type(callback).__name__, {}).items():
                setattr(callback, name, value)
            if isinstance(callback, keras.callbacks.EarlyStopping) and "best_0" in arrays:
                count = sum(name.startswith("best_") for name in arrays)
                callback.best_weights = [arrays[f"best_{number}"] for number in range(count)]
        if "checkpoint" in arrays:
            self._checkpoint.write_bytes(arrays["checkpoint"].tobytes())
        self._reporter.repeat(self._kept.history)
        self._kept = None

    def on_epoch_end(self, epoch: int, _logs: dict[str, float] | None = None) -> None:
        """Write the state, unless the last one is young or the training ends here."""
        ends = self.model.stop_training or epoch + 1 == self.params["epochs"]
        if ends or time.monotonic() - self._written < SECONDS_BETWEEN_STATES:
            return
        try:
            self._file.write(self._state())
        except OSError as error:  # a full disk: what is trained is worth more
            logging.getLogger(__name__).warning("the state of the training was not kept: %s", error)
        self._written = time.monotonic()

    def _state(self) -> EpochState:
        arrays = {
            f"variable_{number}": keras.ops.convert_to_numpy(variable)
            for number, variable in enumerate(self._variables())
        }
        counters = {}
        for callback in self._others:
            name = type(callback).__name__
            if name in COUNTERS:
                counters[name] = {key: getattr(callback, key) for key in COUNTERS[name]}
            best: Any = getattr(callback, "best_weights", None) or ()
            arrays |= {f"best_{number}": weights for number, weights in enumerate(best)}
        if self._checkpoint.exists():
            arrays["checkpoint"] = np.frombuffer(self._checkpoint.read_bytes(), dtype=np.uint8)
        return EpochState(self._reporter.rows, counters, arrays)

    def _variables(self) -> list[keras.Variable]:
        return [*self.model.variables, *self.model.optimizer.variables]


def in_reading_order(logs: dict[str, AnyValue]) -> dict[str, AnyValue]:
    """Sort a history: loss, metric, the same of the validation samples, learning rate; Keras sorts by the alphabet."""

    def position(item: tuple[str, AnyValue]) -> tuple[bool, bool, bool]:
        name = item[0]
        return name == "learning_rate", name.startswith("val_"), "loss" not in name

    return dict(sorted(logs.items(), key=position))
