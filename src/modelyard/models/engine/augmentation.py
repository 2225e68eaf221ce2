"""Random changes of training images, as Keras's own layers."""

from typing import Any

from modelyard.core.errors import ModelyardError
from modelyard.models.engine.training_settings import Augmentation, NetworkTraining

FLIPS = {  # Keras's own layer for both directions flips in both or in none
    "none": (),
    "horizontal": ("horizontal",),
    "vertical": ("vertical",),
    "both": ("horizontal", "vertical"),
}


def augmented(native: Any, training: NetworkTraining) -> Any:
    """Return a network that changes images between the scaling and the rest of `native`, in training only.

    It shares all layers and weights with `native`, which stays as it is: what is saved knows of no augmentation.

    Raises:
        ModelyardError: The input is not an image.
    """
    import keras

    layers = _layers(training.augmentation, training.seed) if training.augmentation else []
    if not layers:
        return native
    if len(native.input_shape) != 4:
        raise ModelyardError(
            "training.augmentation needs images (height, width, channels); this input has samples of shape "
            f"{native.input_shape[1:]}: leave it out"
        )
    scaled = tensor = native.get_layer("scaling").output
    for layer in layers:
        tensor = layer(tensor)
    return keras.Model(native.inputs, keras.Model(scaled, native.outputs[0])(tensor))


def _layers(settings: Augmentation, seed: int) -> list[Any]:
    """A layer for each kind of change, in float32 as the scaling."""
    from keras import layers

    changes: list[tuple[Any, tuple[Any, ...]]] = [
        (layers.RandomFlip, (direction,)) for direction in FLIPS[settings.flip]
    ]
    if settings.shift:
        changes.append((layers.RandomTranslation, (settings.shift, settings.shift)))
    if settings.rotate:
        changes.append((layers.RandomRotation, (settings.rotate / 360,)))
    if settings.zoom:
        changes.append((layers.RandomZoom, (settings.zoom,)))
    # Each has a seed of its own: of equal ones, an image that is flipped would always be shifted to the same side.
    return [
        layer(*arguments, seed=(seed + number) % 2**32, dtype="float32")
        for number, (layer, arguments) in enumerate(changes, start=1)
    ]
