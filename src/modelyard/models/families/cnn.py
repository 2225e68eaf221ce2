"""Convolutional network: convolutions, with or without pooling, then dense layers."""

from operator import not_
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
    convolutions: Count = Field(
        default=1, exclude_if=(1).__eq__, description="one after another for each of `filters`, the last one pooled"
    )
    kernel_size: Count = 3
    stride: Count = Field(default=1, exclude_if=(1).__eq__, description="of the convolutions")
    padding: Literal["valid", "same"] = "valid"
    batch_normalisation: bool = Field(
        default=False, exclude_if=not_, description="between each convolution, which then has no bias, and activation"
    )
    activation: Activation = Field(default="relu", description="of the convolutions")
    pooling: Literal["none", "last", "each"] = Field(default="none", description="2 x 2, after which convolutions")
    pooling_kind: Literal["max", "average"] = Field(default="max", exclude_if="max".__eq__)
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
        for is_last in [*[False] * (settings.convolutions - 1), True]:
            is_pooled = is_last and _is_pooled(number, settings)
            _refuse_too_small(tensor, number, is_pooled, settings)
            tensor = _convolution(tensor, filters, settings)
        if is_pooled:
            pooling = layers.MaxPooling2D if settings.pooling_kind == "max" else layers.AveragePooling2D
            tensor = pooling(2)(tensor)
    if settings.convolution_dropout:
        tensor = layers.Dropout(settings.convolution_dropout)(tensor)
    tensor = layers.Flatten(name=FEATURES)(tensor)
    for units in settings.units:
        tensor = layers.Dense(units, activation="relu")(tensor)
        if settings.dense_dropout:
            tensor = layers.Dropout(settings.dense_dropout)(tensor)
    return output_layer(output)(tensor)


def _convolution(tensor: Any, filters: int, settings: Settings) -> Any:
    """One convolution with its activation, and batch normalisation between both if it is asked for."""
    from keras import layers

    options = {"strides": settings.stride, "padding": settings.padding}
    if not settings.batch_normalisation:
        return layers.Conv2D(filters, settings.kernel_size, activation=settings.activation, **options)(tensor)
    tensor = layers.Conv2D(filters, settings.kernel_size, use_bias=False, **options)(tensor)
    return layers.Activation(settings.activation)(layers.BatchNormalization()(tensor))


def _is_pooled(number: int, settings: Settings) -> bool:
    return settings.pooling == "each" or (settings.pooling == "last" and number == len(settings.filters))


def _refuse_too_small(tensor: Any, number: int, is_pooled: bool, settings: Settings) -> None:
    needed = settings.kernel_size if settings.padding == "valid" else 1
    if is_pooled:
        needed += settings.stride  # a map of one pixel cannot be halved
    if min(tensor.shape[1:3]) < needed:
        strided = f"stride {settings.stride}, " if settings.stride > 1 else ""
        advice = "a smaller kernel or stride" if strided else "a smaller kernel"
        raise ModelyardError(
            f"convolution {number} of filters {list(settings.filters)} gets a map of {tensor.shape[1]} x "
            f"{tensor.shape[2]}, too small for kernel_size {settings.kernel_size}, {strided}padding "
            f"{settings.padding}, pooling {settings.pooling}: use fewer convolutions, {advice}, or `padding: same`."
        )
