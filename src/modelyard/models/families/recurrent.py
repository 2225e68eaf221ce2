"""Recurrent network: reads the words of a text one after the other, and keeps what matters in a few numbers."""

from typing import Any, Literal

from pydantic import Field

from modelyard.core.config import Settings as Base
from modelyard.core.errors import ModelyardError
from modelyard.data.inputs import TrainingInput
from modelyard.models.engine.output_layer import Output, output_layer
from modelyard.models.families.cnn import Count, Share


class Settings(Base):
    """Hyperparameters of a recurrent network."""

    family: Literal["recurrent"]
    vocabulary: Count = Field(description="word numbers that it knows, 0 (padding) among them: the data set's `words`")
    embedding: Count = Field(default=32, description="numbers that a word is turned into")
    layer: Literal["gru", "lstm", "simple"] = "gru"
    units: Count = Field(description="numbers that the recurrent layer remembers")
    dropout: Share = Field(default=0.0, description="of what the recurrent layer reads")
    dense_units: tuple[Count, ...] = Field(default=(), description="neurons of each dense layer, which have relu")


def check(data: TrainingInput, settings: Settings) -> None:
    """Refuse rows that are no word numbers of the vocabulary: an embedding would fail late, or learn nonsense.

    Raises:
        ModelyardError: it says what the rows are instead, and which family or value fits them.
    """
    description = data.description
    if len(description.shape) != 1 or not description.dtype.startswith("uint"):
        raise ModelyardError(
            "family recurrent reads rows of word numbers, such as reader reuters makes; this input has rows of "
            f"{description.dtype} of shape {description.shape}: take cnn for images, mlp for other rows."
        )
    if description.scaling != "none":
        raise ModelyardError(
            f"the scaling {description.scaling} makes word numbers other words: give the input `scaling: none`."
        )
    needed = max(len(description.words), int(data.samples.x.max()) + 1)
    if needed > settings.vocabulary:
        raise ModelyardError(
            f"model.vocabulary: {settings.vocabulary} given, this input has word numbers up to {needed - 1}: "
            f"give {needed}, or keep fewer `words` of the data set."
        )


def build(scaled: Any, output: Output, settings: Settings) -> Any:
    """Connect word numbers (n, length), where 0 is padding and not read, to the output (n, output.units)."""
    from keras import layers

    kinds = {"gru": layers.GRU, "lstm": layers.LSTM, "simple": layers.SimpleRNN}
    tensor = layers.Embedding(settings.vocabulary, settings.embedding, mask_zero=True)(scaled)
    tensor = kinds[settings.layer](settings.units, dropout=settings.dropout)(tensor)
    for units in settings.dense_units:
        tensor = layers.Dense(units, activation="relu")(tensor)
    return output_layer(output)(tensor)
