"""Autoencoder: encodes its input as a few codes and reconstructs it from them."""

from typing import Annotated, Any, Literal

from pydantic import Field

from modelyard.core.config import Settings as Base
from modelyard.data.samples import Task
from modelyard.models.engine.tasks import Output
from modelyard.models.families.mlp import Activation

TASKS: tuple[Task, ...] = ("reconstruction",)
CODES = "codes"  # the layer between encoder and decoder


class Settings(Base):
    """Hyperparameters of a dense autoencoder."""

    family: Literal["autoencoder"]
    latent_dim: int = Field(ge=1, description="size of the bottleneck: numbers that the input is encoded as")
    units: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        default=(), description="neurons of each layer of the encoder; the decoder has the same in reverse order"
    )
    activation: Activation = "relu"


def build(scaled: Any, output: Output, settings: Settings) -> Any:
    """Connect the scaled input (n, ...) to its reconstruction, of the same shape and in scaled units."""
    from keras import layers

    shape = scaled.shape[1:]
    tensor = layers.Flatten()(scaled)
    for units in settings.units:
        tensor = layers.Dense(units, activation=settings.activation)(tensor)
    tensor = layers.Dense(settings.latent_dim, activation=settings.activation, name=CODES)(tensor)
    for units in reversed(settings.units):
        tensor = layers.Dense(units, activation=settings.activation)(tensor)
    tensor = layers.Dense(output.units, activation=output.activation, dtype="float32")(tensor)
    return layers.Reshape(shape)(tensor)


def submodels(autoencoder: Any) -> dict[str, Any]:
    """Return the encoder (raw samples to codes) and the decoder (codes to scaled samples), which share the weights."""
    import keras

    codes = autoencoder.get_layer(CODES).output
    return {
        "encoder": keras.Model(autoencoder.inputs, codes, name="encoder"),
        "decoder": keras.Model(codes, autoencoder.outputs, name="decoder"),
    }
