"""Multilayer perceptron: dense layers; with none, a single neuron per output."""

from typing import Annotated, Any, Literal

from pydantic import Field

from modelyard.core.config import Settings as Base
from modelyard.models.engine.tasks import Output, output_layer

Activation = Literal["linear", "relu", "sigmoid", "tanh"]


class Settings(Base):
    """Hyperparameters of a multilayer perceptron."""

    family: Literal["mlp"]
    units: tuple[Annotated[int, Field(ge=1)], ...] = Field(description="neurons of each hidden layer; [] for none")
    activation: Activation = "relu"
    dropout: float = Field(default=0.0, ge=0, lt=1, description="after each hidden layer")


def build(scaled: Any, output: Output, settings: Settings) -> Any:
    """Connect the scaled input (n, ...), flattened first, to the output (n, output.units)."""
    from keras import layers

    tensor = layers.Flatten()(scaled) if len(scaled.shape) > 2 else scaled
    for units in settings.units:
        tensor = layers.Dense(units, activation=settings.activation)(tensor)
        if settings.dropout:
            tensor = layers.Dropout(settings.dropout)(tensor)
    return output_layer(output)(tensor)
