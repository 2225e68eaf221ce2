"""Recurrent network: an embedding of word numbers, a recurrent layer, then dense layers."""

from typing import Any, Literal

from pydantic import Field

from modelyard.core.config import Settings as Base
from modelyard.core.errors import ModelyardError
from modelyard.data.inputs import TrainingInput
from modelyard.models.engine.tasks import Output, output_layer
from modelyard.models.families.cnn import Count, Share


class Settings(Base):
    """Hyperparameters of a recurrent network."""

    family: Literal["recurrent"]
    vocabulary_size: Count = Field(
        description="size of the vocabulary, including 0 (padding): the data set's `num_words`"
    )
    embedding_dim: Count = Field(default=32, description="dimensions of the embedding of a word")
    layer: Literal["gru", "lstm", "simple"] = "gru"
    units: Count = Field(description="units of the recurrent layer")
    dropout: Share = Field(default=0.0, description="of the recurrent layer's input")
    dense_units: tuple[Count, ...] = Field(default=(), description="neurons of each dense layer, which have relu")


def check(data: TrainingInput, settings: Settings) -> None:
    """Refuse samples that are not word numbers of the vocabulary: an embedding would fail late, or learn nonsense.

    Raises:
        ModelyardError: The samples are not word numbers, are scaled, or exceed the vocabulary.
    """
    description = data.description
    if len(description.shape) != 1 or not description.dtype.startswith("uint"):
        raise ModelyardError(
            "family recurrent needs samples of word numbers, such as reader reuters gives; this input has samples of "
            f"{description.dtype} of shape {description.shape}: use cnn for images, mlp for others."
        )
    if description.scaling != "none":
        raise ModelyardError(
            f"the scaling {description.scaling} turns word numbers into other words: set `scaling: none` for the input."
        )
    needed = max(len(description.words), int(data.samples.x.max()) + 1)
    if needed > settings.vocabulary_size:
        raise ModelyardError(
            f"model.vocabulary_size: {settings.vocabulary_size} given, this input has word numbers up to {needed - 1}: "
            f"set it to {needed}, or lower the data set's `num_words`."
        )


def build(scaled: Any, output: Output, settings: Settings) -> Any:
    """Connect word numbers (n, length), where 0 is padding and masked, to the output (n, output.units)."""
    from keras import layers

    kinds = {"gru": layers.GRU, "lstm": layers.LSTM, "simple": layers.SimpleRNN}
    tensor = layers.Embedding(settings.vocabulary_size, settings.embedding_dim, mask_zero=True)(scaled)
    tensor = kinds[settings.layer](settings.units, dropout=settings.dropout)(tensor)
    for units in settings.dense_units:
        tensor = layers.Dense(units, activation="relu")(tensor)
    return output_layer(output)(tensor)
