"""Convolutional network: convolutions, with or without pooling, then dense layers."""

from typing import Annotated, Any, Literal

from pydantic import Field

from modelyard.core.config import Settings as Base
from modelyard.core.errors import ModelyardError
from modelyard.models.engine.tasks import Output, output_layer
from modelyard.models.families.mlp import Activation

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, lt=1)]
FEATURES = "features"  # name of the layer whose output is the default features of a transfer


class Settings(Base):
    """Hyperparameters of a convolutional network."""

    family: Literal["cnn"]
    filters: Annotated[tuple[Count, ...], Field(min_length=1, description="of each convolution")]
    kernel_size: Count = 3
    padding: Literal["valid", "same"] = "valid"
    activation: Activation = Field(default="relu", description="of the convolutions")
    pooling: Literal["none", "last", "each"] = Field(default="none", description="2 x 2, after which convolutions")
    convolution_dropout: Share = Field(default=0.0, description="before the dense layers")
    units: tuple[Count, ...] = Field(default=(), description="neurons of each dense layer, which have relu")
    dense_dropout: Share = Field(default=0.0, description="after each dense layer")


def build(scaled: Any, output: Output, settings: Settings) -> Any:
    """Connect scaled images (n, height, width, channels) to the output (n, output.units).

    Raises:
        ModelyardError: The input is not an image, or too small for the convolutions.
    """
    from keras import layers

    if len(scaled.shape) != 4:
        raise ModelyardError(
            f"family cnn needs images (height, width, channels); this input has samples of shape {scaled.shape[1:]}"
        )
    tensor = scaled
    for number, filters in enumerate(settings.filters, start=1):
        _refuse_too_small(tensor, number, settings)
        tensor = layers.Conv2D(filters, settings.kernel_size, padding=settings.padding, activation=settings.activation)(
            tensor
        )
        if _is_pooled(number, settings):
            tensor = layers.MaxPooling2D(2)(tensor)
    if settings.convolution_dropout:
        tensor = layers.Dropout(settings.convolution_dropout)(tensor)
    tensor = layers.Flatten(name=FEATURES)(tensor)
    for units in settings.units:
        tensor = layers.Dense(units, activation="relu")(tensor)
        if settings.dense_dropout:
            tensor = layers.Dropout(settings.dense_dropout)(tensor)
    return output_layer(output)(tensor)


def _is_pooled(number: int, settings: Settings) -> bool:
    return settings.pooling == "each" or (settings.pooling == "last" and number == len(settings.filters))


def _refuse_too_small(tensor: Any, number: int, settings: Settings) -> None:
    needed = settings.kernel_size if settings.padding == "valid" else 1
    needed += _is_pooled(number, settings)  # a map of one pixel cannot be halved
    if min(tensor.shape[1:3]) < needed:
        raise ModelyardError(
            f"convolution {number} of filters {list(settings.filters)} gets a map of {tensor.shape[1]} x "
            f"{tensor.shape[2]}, too small for kernel_size {settings.kernel_size}, padding {settings.padding}, "
            f"pooling {settings.pooling}: use fewer convolutions, a smaller kernel, or `padding: same`."
        )
