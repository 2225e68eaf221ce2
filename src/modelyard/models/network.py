"""The Keras kind: how a network is compiled, fitted, asked and saved."""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from modelyard.config import Settings
from modelyard.errors import ModelyardError
from modelyard.inputs import Description, TrainingInput, load_description, save_description
from modelyard.metrics import WATCHED
from modelyard.models.archive import make_stable
from modelyard.models.output import output_of
from modelyard.models.settings import NetworkTraining, Runtime

if TYPE_CHECKING:
    import pandas as pd

FILE = "model.keras"
CHECKPOINT = "best.weights.h5"
PREDICTION_BATCH = 1000


class Network:
    """A fitted Keras model that takes raw rows."""

    flavour = "keras"  # of MLflow
    packages = ("keras", "tensorflow")
    options: ClassVar[dict] = {}

    def __init__(self, native: Any, description: Description) -> None:
        self.native = native
        self.description = description

    @property
    def takes(self) -> tuple[str, tuple]:
        """The native model's input: type and shape."""
        return self.native.inputs[0].dtype, self.native.input_shape

    @property
    def gives(self) -> tuple[str, tuple]:
        """The native model's output: type and shape."""
        return self.native.outputs[0].dtype, self.native.output_shape

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Probabilities (n, classes) or values (n,) for raw rows (n, ...)."""
        given = np.asarray(rows, dtype=_input_dtype(self.description))
        predicted = self.native.predict(given, batch_size=PREDICTION_BATCH, verbose=0).astype(np.float32)
        if self.description.task == "regression":
            return predicted[:, 0]
        if predicted.shape[1] == 1:  # one sigmoid neuron: the probability of class 1
            return np.hstack([1 - predicted, predicted])
        return predicted

    def save(self, folder: Path) -> None:
        """Write `model.keras`, without the optimizer's state."""
        _without_optimizer(self.native).save(folder / FILE)
        make_stable(folder / FILE)
        save_description(self.description, folder)


def load(folder: Path) -> Network:
    """Load a saved network."""
    keras = _import_keras()
    return Network(keras.saving.load_model(folder / FILE, compile=False, safe_mode=True), load_description(folder))


def fit(
    build: Callable[..., Any],
    settings: Settings,
    training: NetworkTraining,
    data: TrainingInput,
    folder: Path,
    runtime: Runtime,
    report: Callable[[dict[str, float]], None],
) -> tuple[Network, "pd.DataFrame"]:
    """Build, compile and fit a network (see `models.fit`)."""
    keras = _import_keras()
    from modelyard.models import batches, callbacks, optimizers

    _refuse_without_validation(training, data)
    batches.use_threads(runtime.threads)
    keras.utils.clear_session(free_memory=False)  # layer names count from zero, whatever was built before
    keras.utils.set_random_seed(training.seed)
    keras.config.set_dtype_policy(runtime.precision)
    model = _connect(build, settings, training, data.description)
    steps = math.ceil(data.description.training_rows / training.batch_size)
    model.compile(
        optimizer=optimizers.optimizer_of(training),
        loss=training.loss,
        metrics=[WATCHED[data.description.task]],
        steps_per_execution=_largest_divisor(steps, runtime.steps_per_execution),
    )
    history = model.fit(
        batches.training_batches(data, training),
        steps_per_epoch=steps,
        epochs=training.epochs,
        validation_data=batches.validation_batches(data, training) if data.description.validation_rows else None,
        callbacks=callbacks.callbacks(training, folder / CHECKPOINT, report),
        shuffle=False,  # the batches come shuffled
        verbose=0,
    )
    return Network(model, data.description), _table(history)


def _connect(build: Callable[..., Any], settings: Settings, training: NetworkTraining, description: Description) -> Any:
    import keras

    output = output_of(description.task, len(description.classes), training.loss)
    raw = keras.Input(description.shape, dtype=_input_dtype(description), name="raw")
    return keras.Model(raw, build(_scaling_layer(description)(raw), output, settings))


def _scaling_layer(description: Description) -> Any:
    """The input's scaling as a layer: (x - offset) / scale, in float32 whatever the precision of the rest."""
    import keras

    scaler = description.scaler
    each = len(scaler.offset) > 1
    shape = description.shape if each else ()
    return keras.layers.Normalization(
        axis=tuple(range(1, len(description.shape) + 1)) if each else None,
        mean=np.reshape(scaler.offset, shape),
        variance=np.reshape(np.square(scaler.scale), shape),
        dtype="float32",
        name="scaling",
    )


def _input_dtype(description: Description) -> str:
    return "uint8" if description.dtype == "uint8" else "float32"


def _largest_divisor(steps: int, limit: int) -> int:
    """Executions must fill an epoch exactly: Keras runs whole ones."""
    return max(divisor for divisor in range(1, min(steps, limit) + 1) if steps % divisor == 0)


def _table(history: Any) -> "pd.DataFrame":
    import pandas as pd

    from modelyard.models.callbacks import in_reading_order

    table = pd.DataFrame(in_reading_order(history.history))
    table.insert(0, "epoch", np.arange(1, len(table) + 1))
    return table


def _refuse_without_validation(training: NetworkTraining, data: TrainingInput) -> None:
    needs = training.early_stopping or training.checkpoint or training.reshuffle_before_split
    if needs and not data.description.validation_rows:
        raise ModelyardError(
            "early_stopping, checkpoint and reshuffle_before_split need validation rows, and this input has none: "
            "give its `split` a `validation` fraction."
        )


def _without_optimizer(model: Any) -> Any:
    import keras

    return keras.Model(model.inputs, model.outputs, name="model")


def _import_keras() -> Any:
    """Import Keras without the lines that TensorFlow writes before its log level applies."""
    kept = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            import keras
        finally:
            os.dup2(kept, 2)
            os.close(kept)
    return keras
