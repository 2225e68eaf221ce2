"""Backbones of transfer learning: another experiment's network or one that Keras distributes, up to its features."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from modelyard.core.errors import ModelyardError
from modelyard.data.inputs import InputDescription
from modelyard.models.engine import keras_model

VGG16_FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
VGG16_MEANS = (103.939, 116.779, 123.68)  # of ImageNet's blue, green and red, as the authors subtract them
SMALLEST_VGG16 = 32  # pixels: halved five times


def load(folder: Path, layer: str, description: InputDescription) -> Any:
    """Load a frozen Keras model from raw samples to features (n, k).

    Args:
        folder: An experiment's model, or Keras's weight file of a network trained on ImageNet.
        layer: The layer of the experiment's network that gives the features.
        description: The input that the backbone is applied to.

    Raises:
        ModelyardError: There is no such network or layer, or its input has another shape or type.
    """
    loader = next((loader for file, loader in _LOADERS.items() if (folder / file).exists()), None)
    if loader is None:
        raise ModelyardError(f"{folder} holds no backbone: expected {' or '.join(_LOADERS)} there.")
    backbone = loader(folder, layer, description)
    backbone.trainable = False
    return backbone


def _of_experiment(folder: Path, layer: str, description: InputDescription) -> Any:
    import keras

    network = keras_model.load_native(folder / keras_model.FILE)
    if network.input_shape[1:] != description.shape or network.inputs[0].dtype != description.network_dtype:
        raise ModelyardError(
            f"the network in {folder} takes samples of shape {network.input_shape[1:]} and type "
            f"{network.inputs[0].dtype}; this input has {description.shape} and {description.network_dtype}. "
            "Use a backbone that fits the input."
        )
    names = [each.name for each in network.layers]
    if layer not in names:
        raise ModelyardError(f"the network in {folder} has no layer {layer!r}; it has: {', '.join(names)}")
    return keras.Model(network.inputs, network.get_layer(layer).output, name="backbone")


def _vgg16(folder: Path, _layer: str, description: InputDescription) -> Any:
    """VGG16 without its top on raw RGB images; the weights are numbers in an HDF5 file, no code."""
    import keras

    weights = folder / VGG16_FILE
    shape = description.shape
    if len(shape) != 3 or shape[2] != 3 or min(shape[:2]) < SMALLEST_VGG16:
        raise ModelyardError(
            f"VGG16 takes color images of at least {SMALLEST_VGG16} x {SMALLEST_VGG16} pixels (height, width, 3); "
            f"this input has samples of shape {shape}"
        )
    convolutions = keras.applications.VGG16(include_top=False, weights=str(weights), input_shape=shape)
    return vgg16_on(convolutions, description)


def vgg16_on(convolutions: Any, description: InputDescription) -> Any:
    """Put VGG16's own preprocessing before its convolutions, and flatten their output."""
    import keras

    raw = keras.Input(description.shape, dtype=description.network_dtype, name="raw")
    blue_green_red = keras.ops.flip(keras.ops.cast(raw, "float32"), axis=-1)
    centered = keras.layers.Normalization(axis=-1, mean=VGG16_MEANS, variance=(1.0, 1.0, 1.0))(blue_green_red)
    return keras.Model(raw, keras.layers.Flatten()(convolutions(centered)), name="backbone")


_LOADERS: dict[str, Callable[[Path, str, InputDescription], Any]] = {
    keras_model.FILE: _of_experiment,
    VGG16_FILE: _vgg16,
}
