"""Networks to start from: another experiment's, or one that Keras distributes, up to the layer that gives features."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from modelyard.core.errors import ModelyardError
from modelyard.data.inputs import InputDescription
from modelyard.models.engine import keras_model

VGG16_FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
VGG16_MEANS = (103.939, 116.779, 123.68)  # of ImageNet's blue, green and red, as the authors subtract them
SMALLEST_VGG16 = 32  # pixels: five times halved


def load(folder: Path, layer: str, description: InputDescription) -> Any:
    """A Keras model from raw rows to features (n, k), which training leaves as it is.

    Args:
        folder: an experiment's model, or Keras's weight file of a network trained on ImageNet.
        layer: the layer of the experiment's network that gives the features.
        description: the input that it is to be asked about.

    Raises:
        ModelyardError: there is no such network or layer, or it takes other rows.
    """
    make = next((make for file, make in _KNOWN.items() if (folder / file).exists()), None)
    if make is None:
        raise ModelyardError(f"{folder} holds no network to start from: {' or '.join(_KNOWN)} was expected there.")
    backbone = make(folder, layer, description)
    backbone.trainable = False
    return backbone


def _of_experiment(folder: Path, layer: str, description: InputDescription) -> Any:
    import keras

    whole = keras_model.load_native(folder / keras_model.FILE)
    if whole.input_shape[1:] != description.shape or whole.inputs[0].dtype != description.network_dtype:
        raise ModelyardError(
            f"the network in {folder} takes rows of shape {whole.input_shape[1:]} and type {whole.inputs[0].dtype}; "
            f"this input has {description.shape} and {description.network_dtype}. Take a backbone that fits the input."
        )
    names = [each.name for each in whole.layers]
    if layer not in names:
        raise ModelyardError(f"the network in {folder} has no layer {layer!r}; it has: {', '.join(names)}")
    return keras.Model(whole.inputs, whole.get_layer(layer).output, name="backbone")


def _vgg16(folder: Path, layer: str, description: InputDescription) -> Any:
    """VGG16 without its top on raw RGB images; the weights are numbers in an HDF5 file, no code."""
    import keras

    weights = folder / VGG16_FILE
    shape = description.shape
    if len(shape) != 3 or shape[2] != 3 or min(shape[:2]) < SMALLEST_VGG16:
        raise ModelyardError(
            f"VGG16 takes colour images of at least {SMALLEST_VGG16} x {SMALLEST_VGG16} pixels (height, width, 3); "
            f"this input has rows of shape {shape}"
        )
    convolutions = keras.applications.VGG16(include_top=False, weights=str(weights), input_shape=shape)
    return vgg16_on(convolutions, description)


def vgg16_on(convolutions: Any, description: InputDescription) -> Any:
    """VGG16's convolutions with its own preparation before them, and its last maps flattened."""
    import keras

    raw = keras.Input(description.shape, dtype=description.network_dtype, name="raw")
    blue_green_red = keras.ops.flip(keras.ops.cast(raw, "float32"), axis=-1)
    centred = keras.layers.Normalization(axis=-1, mean=VGG16_MEANS, variance=(1.0, 1.0, 1.0))(blue_green_red)
    return keras.Model(raw, keras.layers.Flatten()(convolutions(centred)), name="backbone")


_KNOWN: dict[str, Callable[[Path, str, InputDescription], Any]] = {keras_model.FILE: _of_experiment, VGG16_FILE: _vgg16}
