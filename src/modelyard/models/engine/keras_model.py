"""Keras models: how they are built, compiled, fitted, saved and loaded, and how they predict."""

import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.config import Settings
from modelyard.core.errors import ModelyardError
from modelyard.data.inputs import InputDescription, TrainingInput, load_description, save_description
from modelyard.data.target_scaling import TargetScaler
from modelyard.metrics.definitions import history_metric
from modelyard.models.engine import keras_columns
from modelyard.models.engine.augmentation import augmented
from modelyard.models.engine.base import ArraySpec, Layer, TrainingContext
from modelyard.models.engine.class_weights import class_weights
from modelyard.models.engine.runtime import Runtime
from modelyard.models.engine.runtime import use as use_runtime
from modelyard.models.engine.serialization import make_stable
from modelyard.models.engine.tasks import TASKS, find_loss
from modelyard.models.engine.training_settings import NetworkTraining

if TYPE_CHECKING:
    import pandas as pd

FILE = "model.keras"
CHECKPOINT = "best.weights.h5"
PREDICTION_BATCH = 1000


class KerasModel:
    """A fitted Keras model of raw samples, and its submodels by name (an autoencoder's encoder and decoder)."""

    mlflow_flavor = "keras"
    mlflow_options: Mapping[str, Any] = MappingProxyType({})
    pip_packages = ("keras", "tensorflow")

    def __init__(self, native: Any, description: InputDescription, submodels: Mapping[str, Any] | None = None) -> None:
        self.native = native
        self.description = description
        self.submodels = dict(submodels or {})

    @property
    def input_spec(self) -> ArraySpec:
        """Input of the native model."""
        return ArraySpec(self.native.inputs[0].dtype, self.native.input_shape)

    @property
    def output_spec(self) -> ArraySpec:
        """Output of the native model."""
        return ArraySpec(self.native.outputs[0].dtype, self.native.output_shape)

    @property
    def layers(self) -> list[Layer]:
        """Every layer from raw samples to output, including those of a backbone."""
        return _layers(self.native)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Predict probabilities (n, classes), values (n,), reconstructions or grids (n, ...) of raw samples."""
        outputs = predict_native(self.native, np.asarray(x, dtype=self.description.network_dtype))
        return TASKS[self.description.task].decode(outputs)

    def first_convolution(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Kernels (height, width, channels, filters) of the first convolution and its maps of a raw image, if any."""
        import keras

        layer = next((layer for layer in self.native.layers if isinstance(layer, keras.layers.Conv2D)), None)
        if layer is None:
            return None
        maps = keras.Model(self.native.inputs, layer.output)
        return layer.get_weights()[0], predict_native(maps, image[np.newaxis])[0]

    def save(self, folder: Path) -> None:
        """Write `model.keras`, without the optimizer's state, and each submodel as a model of its own."""
        model = without_optimizer(self.native, "model")
        for name, native in {"model": model, **self.submodels}.items():
            native.save(folder / f"{name}.keras")
            make_stable(folder / f"{name}.keras")
        save_description(self.description, folder)


def load(folder: Path, runtime: Runtime | None = None) -> KerasModel:
    """Load a saved model with its submodels, in a process with this runtime."""
    if runtime:
        use_runtime(runtime)
    files = {path.stem: path for path in sorted(folder.glob("*.keras"))}
    natives = {name: load_native(path) for name, path in files.items()}
    return KerasModel(natives.pop("model"), load_description(folder), natives)


def load_native(path: Path) -> Any:
    """Load a .keras archive; one that holds code is refused."""
    return _import_keras().saving.load_model(path, compile=False, safe_mode=True)


def fit(
    family: ModuleType, settings: Settings, training: NetworkTraining, data: TrainingInput, context: TrainingContext
) -> tuple[KerasModel, "pd.DataFrame"]:
    """Build, compile and fit a network (see `models.fit`)."""
    native, history = fit_native(family, settings, training, data, context)
    submodels = family.submodels(native) if hasattr(family, "submodels") else {}
    return KerasModel(in_target_unit(native, data.description), data.description, submodels), history


def fit_native(
    family: ModuleType, settings: Settings, training: NetworkTraining, data: TrainingInput, context: TrainingContext
) -> tuple[Any, "pd.DataFrame"]:
    """Build, compile and fit a Keras model from raw samples to scaled targets; return it with its history."""
    reset(training, context)
    native = build(family, settings, training, data.description)
    return native, compile_and_fit(native, training, data, context)


def reset(training: NetworkTraining, context: TrainingContext) -> None:
    """Reset Keras's global state, runtime, precision and seed, so that the next network is reproducible."""
    keras = _import_keras()
    use_runtime(context.runtime)
    keras.utils.clear_session(free_memory=False)  # layer names count from zero, whatever was built before
    keras.utils.set_random_seed(training.seed)
    keras.config.set_dtype_policy(context.runtime.precision)


def build(family: ModuleType, settings: Settings, training: NetworkTraining, description: InputDescription) -> Any:
    """Build a family's network from raw samples to scaled targets, the scaling of samples as its first layer."""
    import keras

    output = find_loss(description, training.loss).output(description)
    raw = keras.Input(description.shape, dtype=description.network_dtype, name="raw")
    return keras.Model(raw, family.build(_encode(raw, description), output, settings))


def in_target_unit(native: Any, description: InputDescription) -> Any:
    """Return a network of scaled targets with their scaling inverted at its end; itself where they are not scaled."""
    import keras

    if description.target_scaler is None:
        return native
    return keras.Model(native.inputs, _inverse(description.target_scaler)(native.outputs[0]))


def compile_and_fit(
    native: Any, training: NetworkTraining, data: TrainingInput, context: TrainingContext
) -> "pd.DataFrame":
    """Compile and fit a Keras model from raw samples to scaled targets; return its history."""
    from modelyard.models.engine import callbacks, optimizers, tf_dataset

    _refuse_without_validation(training, data)
    batches = tf_dataset.Batches(data, training, native.output_shape[1:-1])
    steps = math.ceil(data.description.training_samples / training.batch_size)
    network = augmented(native, training)
    network.compile(
        optimizer=optimizers.make_optimizer(training, steps),
        loss=find_loss(data.description, training.loss).function or training.loss,
        metrics=_metrics(data.description),
        steps_per_execution=_largest_divisor(steps, context.runtime.steps_per_execution),
    )
    checkpoint = context.folder / CHECKPOINT
    chosen, done = callbacks.callbacks(training, native, checkpoint, context.report), 0
    if context.state and not training.reshuffle_before_split:  # whose validation samples depend on all earlier epochs
        keeper = callbacks.StateKeeper(context.state, tuple(chosen), checkpoint)
        chosen, done = [*chosen, keeper], keeper.epochs
    network.fit(
        batches.training(skipped=done * steps),
        steps_per_epoch=steps,
        initial_epoch=done,
        epochs=training.epochs,
        validation_data=batches.validation(),
        class_weight=class_weights(training, data),
        callbacks=chosen,
        shuffle=False,  # the batches come shuffled
        verbose=0,
    )
    return _table(next(each for each in chosen if isinstance(each, callbacks.EpochReporter)).rows)


def predict_native(native: Any, x: np.ndarray) -> np.ndarray:
    """Compute a Keras model's raw outputs for samples (n, ...), as float32.

    Not by Keras's `predict`, whose tf.data pipeline takes 50 ms to start and waits up to as long as it works.
    """
    starts = range(0, len(x), PREDICTION_BATCH)
    parts = [native.predict_on_batch(x[start : start + PREDICTION_BATCH]) for start in starts]
    return np.concatenate(parts, dtype=np.float32, casting="unsafe")


def without_optimizer(native: Any, name: str) -> Any:
    """Return the same network, never compiled: a compiled one would need our optimizer when it is loaded."""
    import keras

    return keras.Model(native.inputs, native.outputs, name=name)


def _layers(native: Any) -> list[Layer]:
    layers: list[Layer] = []
    for layer in native.layers:
        if hasattr(layer, "layers"):
            layers += _layers(layer)
        else:
            layers.append(Layer(layer.name, type(layer).__name__, tuple(layer.output.shape[1:]), layer.count_params()))
    return layers


def _encode(raw: Any, description: InputDescription) -> Any:
    if description.preprocessing:
        return keras_columns.encode(raw, description, description.preprocessing)
    return _scaling_layer(description)(raw)


def _scaling_layer(description: InputDescription) -> Any:
    """The input's scaling as Keras's own layer, in float32 at any precision of the rest: saved models need no code."""
    import keras

    scaler = description.scaler
    by_feature = len(scaler.offset) > 1
    shape = description.shape if by_feature else ()
    return keras.layers.Normalization(
        axis=tuple(range(1, len(description.shape) + 1)) if by_feature else None,
        mean=np.reshape(scaler.offset, shape),
        variance=np.reshape(np.square(scaler.scale), shape),
        dtype="float32",
        name="scaling",
    )


def _inverse(scaler: TargetScaler) -> Callable[[Any], Any]:
    """The inverse of a target scaling as Keras's own layer and function: saved models need no code."""
    import keras

    unscale = keras.layers.Rescaling(scaler.scale, offset=scaler.mean, dtype="float32", name="target_scaling")
    return (lambda scaled: keras.ops.expm1(unscale(scaled))) if scaler.method == "log" else unscale


def _metrics(description: InputDescription) -> list[Any] | None:
    """What Keras computes beside the loss after each epoch: the task's metric, in the target's own unit."""
    import keras

    name = history_metric(description.task)
    if name is None or description.target_scaler is None:
        return [name] if name else None
    error, inverse = keras.losses.get(name), _inverse(description.target_scaler)
    return [keras.metrics.MeanMetricWrapper(lambda y, predicted: error(inverse(y), inverse(predicted)), name=name)]


def _largest_divisor(steps: int, limit: int) -> int:
    """Largest number of steps per execution that divides an epoch: Keras runs whole executions."""
    return max(divisor for divisor in range(1, min(steps, limit) + 1) if steps % divisor == 0)


def _table(rows: list[dict[str, float]]) -> "pd.DataFrame":
    import pandas as pd

    table = pd.DataFrame(rows)
    table.insert(0, "epoch", np.arange(1, len(table) + 1))
    return table


def _refuse_without_validation(training: NetworkTraining, data: TrainingInput) -> None:
    if training.needs_validation and not data.description.validation_samples:
        raise ModelyardError(
            f"{' and '.join(training.needs_validation)} need validation samples, and this input has none: give its "
            "`split` a `validation` fraction."
        )


def _import_keras() -> Any:
    """Import Keras without the lines that TensorFlow prints before its log level applies."""
    stderr = os.dup(2)
    with Path(os.devnull).open("w") as null:
        os.dup2(null.fileno(), 2)
        try:
            import keras
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
    return keras
