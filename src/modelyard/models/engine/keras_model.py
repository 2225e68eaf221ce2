"""The Keras kind: how a network is compiled, fitted, asked and saved."""

import math
import os
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from modelyard.core.config import Settings
from modelyard.core.errors import ModelyardError
from modelyard.data.inputs import InputDescription, TrainingInput, load_description, save_description
from modelyard.metrics.definitions import history_metric
from modelyard.models.engine.base import Layer, TrainingContext
from modelyard.models.engine.output_layer import output_of
from modelyard.models.engine.serialization import make_stable
from modelyard.models.engine.training_settings import NetworkTraining

if TYPE_CHECKING:
    import pandas as pd

FILE = "model.keras"
CHECKPOINT = "best.weights.h5"
PREDICTION_BATCH = 1000


class Network:
    """A fitted Keras model that takes raw rows, and its parts by name (an autoencoder's encoder and decoder)."""

    flavour = "keras"  # of MLflow
    packages = ("keras", "tensorflow")
    options: ClassVar[dict] = {}

    def __init__(self, native: Any, description: InputDescription, parts: Mapping[str, Any] | None = None) -> None:
        self.native = native
        self.description = description
        self.parts = dict(parts or {})

    @property
    def takes(self) -> tuple[str, tuple]:
        """The native model's input: type and shape."""
        return self.native.inputs[0].dtype, self.native.input_shape

    @property
    def gives(self) -> tuple[str, tuple]:
        """The native model's output: type and shape."""
        return self.native.outputs[0].dtype, self.native.output_shape

    @property
    def layers(self) -> list[Layer]:
        """Every layer from raw rows to output, those of a backbone included."""
        return list(_layers(self.native))

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Probabilities (n, classes), values (n,), reconstructions or grids (n, ...) for raw rows (n, ...)."""
        predicted = ask(self.native, np.asarray(rows, dtype=self.description.network_dtype))
        if self.description.task == "regression":
            return predicted[:, 0]
        is_one_sigmoid = self.description.task == "classification" and predicted.shape[1:] == (1,)
        return np.hstack([1 - predicted, predicted]) if is_one_sigmoid else predicted

    def first_convolution(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Kernels (height, width, channels, filters) of the first convolution and its maps of a raw image, if any."""
        import keras

        found = next((layer for layer in self.native.layers if isinstance(layer, keras.layers.Conv2D)), None)
        if found is None:
            return None
        maps = keras.Model(self.native.inputs, found.output)
        return found.get_weights()[0], ask(maps, image[np.newaxis])[0]

    def save(self, folder: Path) -> None:
        """Write `model.keras`, without the optimizer's state, and each part as a model of its own."""
        whole = without_optimizer(self.native, "model")
        for name, native in {"model": whole, **self.parts}.items():
            native.save(folder / f"{name}.keras")
            make_stable(folder / f"{name}.keras")
        save_description(self.description, folder)


def load(folder: Path) -> Network:
    """Load a saved network with its parts."""
    files = {path.stem: path for path in sorted(folder.glob("*.keras"))}
    natives = {name: load_native(path) for name, path in files.items()}
    return Network(natives.pop("model"), load_description(folder), natives)


def load_native(path: Path) -> Any:
    """Load a .keras archive; code hidden in it is refused."""
    return _import_keras().saving.load_model(path, compile=False, safe_mode=True)


def fit(
    family: ModuleType, settings: Settings, training: NetworkTraining, data: TrainingInput, context: TrainingContext
) -> tuple[Network, "pd.DataFrame"]:
    """Build, compile and fit a network (see `models.fit`)."""
    start(training, context)
    native = connect(family, settings, training, data.description)
    history = compile_and_fit(native, training, data, context)
    return Network(native, data.description, _parts(family, native)), history


def start(training: NetworkTraining, context: TrainingContext) -> None:
    """Fix threads, precision and seed; a network built and fitted after it is the same each time."""
    keras = _import_keras()
    from modelyard.models.engine import tf_dataset

    tf_dataset.use_threads(context.runtime.threads)
    keras.utils.clear_session(free_memory=False)  # layer names count from zero, whatever was built before
    keras.utils.set_random_seed(training.seed)
    keras.config.set_dtype_policy(context.runtime.precision)


def connect(family: ModuleType, settings: Settings, training: NetworkTraining, description: InputDescription) -> Any:
    """A family's network from raw rows to output, the scaling as its first layer."""
    import keras

    size = math.prod(description.shape)
    output = output_of(description.task, len(description.classes), size, training.loss)
    raw = keras.Input(description.shape, dtype=description.network_dtype, name="raw")
    return keras.Model(raw, family.build(_scaling_layer(description)(raw), output, settings))


def compile_and_fit(
    native: Any, training: NetworkTraining, data: TrainingInput, context: TrainingContext
) -> "pd.DataFrame":
    """Fit a Keras model that takes raw rows; returns its history."""
    from modelyard.models.engine import box_coding, callbacks, optimizers, tf_dataset

    _refuse_without_validation(training, data)
    rows = tf_dataset.Batches(data, training, native.output_shape[1:-1])
    steps = math.ceil(data.description.training_rows / training.batch_size)
    watched = history_metric(data.description.task)
    native.compile(
        optimizer=optimizers.optimizer_of(training),
        loss=box_coding.loss if training.loss == "detection" else training.loss,
        metrics=[watched] if watched else None,
        steps_per_execution=_largest_divisor(steps, context.runtime.steps_per_execution),
    )
    history = native.fit(
        rows.training(),
        steps_per_epoch=steps,
        epochs=training.epochs,
        validation_data=rows.validation(),
        callbacks=callbacks.callbacks(training, context.folder / CHECKPOINT, context.report),
        shuffle=False,  # the batches come shuffled
        verbose=0,
    )
    return _table(history)


def ask(native: Any, rows: np.ndarray) -> np.ndarray:
    """What a Keras model gives for rows (n, ...), as float32."""
    return native.predict(rows, batch_size=PREDICTION_BATCH, verbose=0).astype(np.float32)


def without_optimizer(native: Any, name: str) -> Any:
    """The same network, but never compiled: a saved one would ask for our optimizer when it is loaded."""
    import keras

    return keras.Model(native.inputs, native.outputs, name=name)


def _parts(family: ModuleType, native: Any) -> dict[str, Any]:
    make = getattr(family, "parts", None)
    return make(native) if make else {}


def _layers(native: Any) -> list[Layer]:
    found = []
    for layer in native.layers:
        if hasattr(layer, "layers"):
            found += _layers(layer)
        else:
            found.append(Layer(layer.name, type(layer).__name__, tuple(layer.output.shape[1:]), layer.count_params()))
    return found


def _scaling_layer(description: InputDescription) -> Any:
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


def _largest_divisor(steps: int, limit: int) -> int:
    """Executions must fill an epoch exactly: Keras runs whole ones."""
    return max(divisor for divisor in range(1, min(steps, limit) + 1) if steps % divisor == 0)


def _table(history: Any) -> "pd.DataFrame":
    import pandas as pd

    from modelyard.models.engine.callbacks import in_reading_order

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
