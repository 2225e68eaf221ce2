"""The recurrent family: it reads words in their order, padding not at all, and refuses what is no word."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.inputs import describe, training_context

from modelyard import models
from modelyard.core.errors import ModelyardError
from modelyard.data.inputs import TrainingInput
from modelyard.data.samples import Samples
from modelyard.data.scaling import Scaler
from modelyard.models import NetworkTraining
from modelyard.models.families import recurrent


def fit(data: TrainingInput, folder: Path, precision: str = "float32", epochs: int = 1, **changes: Any):
    settings = recurrent.Settings(
        **({"family": "recurrent", "vocabulary_size": 12, "embedding_dim": 4, "units": 8} | changes)
    )
    loss = "sparse_categorical_crossentropy" if data.description.classes else "mse"
    training = NetworkTraining(seed=7, epochs=epochs, batch_size=16, learning_rate=0.03, loss=loss)
    return models.fit(settings, training, data, training_context(folder, precision=precision))


@pytest.mark.parametrize("layer", ["gru", "lstm", "simple"])
def test_each_kind_of_layer_learns_which_word_decides_the_class(layer: str, word_input: TrainingInput, tmp_path: Path):
    model, history = fit(word_input, tmp_path, epochs=15, layer=layer)
    named = {"gru": "GRU", "lstm": "LSTM", "simple": "SimpleRNN"}[layer]
    assert [type(each).__name__ for each in model.native.layers] == [
        "InputLayer", "Normalization", "Embedding", named, "Dense",
    ]  # fmt: skip
    assert history.val_accuracy.iloc[-1] > 0.9


def test_padding_is_masked_and_the_order_of_words_matters(word_input: TrainingInput, tmp_path: Path):
    model, _ = fit(word_input, tmp_path)
    rows = np.array([[5, 9, 7, 0, 0, 0], [7, 9, 5, 0, 0, 0]], np.uint16)
    longer = np.hstack([rows, np.zeros((2, 9), np.uint16)])
    network = model.native
    without_padding, padded = (np.asarray(network.layers[3](network.layers[2](each))) for each in (rows[:, :3], longer))
    np.testing.assert_allclose(padded, without_padding, atol=1e-6)
    assert np.abs(without_padding[0] - without_padding[1]).max() > 1e-4


def test_dense_layers_follow_the_recurrent_layer(word_input: TrainingInput, tmp_path: Path):
    model, _ = fit(word_input, tmp_path, dense_units=(5, 3))
    assert [each.units for each in model.native.layers[3:]] == [8, 5, 3, 2]


def test_regression_on_words_is_possible(word_input: TrainingInput, tmp_path: Path):
    rows = Samples(word_input.samples.x, (word_input.samples.x == 5).sum(axis=1).astype(np.float64))
    model, _ = fit(TrainingInput(describe(rows, 16), rows), tmp_path, epochs=15)
    assert np.corrcoef(model.predict(rows.x), rows.y)[0, 1] > 0.9


def test_word_numbers_are_exact_at_a_precision_that_cannot_represent_them(tmp_path: Path):
    """bfloat16 has 8 bits for a number: 999 would be 1000."""
    import keras

    rows = Samples(np.arange(990, 1000, dtype=np.uint16).repeat(3).reshape(10, 3), np.arange(10.0))
    try:
        model, _ = fit(TrainingInput(describe(rows), rows), tmp_path, "mixed_bfloat16", vocabulary_size=1000)
    finally:
        keras.config.set_dtype_policy("float32")  # for the tests after this one
    embedding = model.native.layers[2]
    embedded = keras.Model(model.native.input, embedding.output)(rows.x)
    expected = np.asarray(embedding.embeddings)[rows.x]
    np.testing.assert_allclose(np.asarray(embedded).astype(np.float32), expected, rtol=0.01)
    assert model.native.inputs[0].dtype == "uint16"


# --- what is refused ---


def test_words_beyond_the_vocabulary_are_refused_with_the_size_that_is_needed(
    word_input: TrainingInput, tmp_path: Path
):
    with pytest.raises(
        ModelyardError, match=r"vocabulary_size: 11 given.* up to 11: set it to 12, or lower the data set's `num_words`"
    ):
        fit(word_input, tmp_path, vocabulary_size=11)


def test_words_that_occur_in_no_training_sample_count_as_well(word_input: TrainingInput, tmp_path: Path):
    data = TrainingInput(word_input.description.model_copy(update={"words": ("",) * 20}), word_input.samples)
    with pytest.raises(ModelyardError, match=r"vocabulary_size: 12 given.* up to 19: set it to 20"):
        fit(data, tmp_path)


def test_samples_that_are_not_words_are_refused_with_a_family_that_takes_them(
    regression_input: TrainingInput, image_input: TrainingInput, tmp_path: Path
):
    for data, found in ((regression_input, r"float64 of shape \(3,\)"), (image_input, r"uint8 of shape \(8, 8, 1\)")):
        with pytest.raises(ModelyardError, match=rf"samples of {found}: use cnn for images, mlp for others"):
            fit(data, tmp_path)


def test_scaled_words_are_refused(word_input: TrainingInput, tmp_path: Path):
    changes = {"scaling": "standard", "scaler": Scaler(scale=(2.0,))}
    data = TrainingInput(word_input.description.model_copy(update=changes), word_input.samples)
    with pytest.raises(ModelyardError, match=r"scaling standard turns word numbers into other words.*`scaling: none`"):
        fit(data, tmp_path)
