"""Autoencoder: squeezes its input into a few codes and restores it from them."""

from typing import Annotated, Any, Literal

from pydantic import Field

from modelyard.core.config import Settings as Base
from modelyard.data.samples import Task
from modelyard.models.engine.output_layer import Output
from modelyard.models.families.mlp import Activation

TASKS: tuple[Task, ...] = ("reconstruction",)
CODES = "codes"  # the layer between encoder and decoder


class Settings(Base):
    """Hyperparameters of a dense autoencoder."""

    family: Literal["autoencoder"]
    codes: int = Field(ge=1, description="numbers that the input is squeezed into")
    units: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        default=(), description="neurons of each layer before the codes; the decoder has the same, backwards"
    )
    activation: Activation = "relu"


def build(scaled: Any, output: Output, settings: Settings) -> Any:
    """Connect the scaled input (n, ...) to its reconstruction, of the same shape and in scaled units."""
    from keras import layers

    shape = scaled.shape[1:]
    tensor = layers.Flatten()(scaled)
    for units in settings.units:
        tensor = layers.Dense(units, activation=settings.activation)(tensor)
    tensor = layers.Dense(settings.codes, activation=settings.activation, name=CODES)(tensor)
    for units in reversed(settings.units):
        tensor = layers.Dense(units, activation=settings.activation)(tensor)
    tensor = layers.Dense(output.units, activation=output.activation, dtype="float32")(tensor)
    return layers.Reshape(shape)(tensor)


def parts(whole: Any) -> dict[str, Any]:
    """The encoder (raw rows to codes) and the decoder (codes to scaled rows) of a whole; they share its weights."""
    import keras

    codes = whole.get_layer(CODES).output
    return {
        "encoder": keras.Model(whole.inputs, codes, name="encoder"),
        "decoder": keras.Model(codes, whole.outputs, name="decoder"),
    }
