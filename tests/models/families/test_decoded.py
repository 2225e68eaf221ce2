"""Decoded samples: made up between two training samples of one class; the validation samples stay as they are."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.inputs import describe, training_context

from modelyard import models
from modelyard.core.errors import ModelyardError
from modelyard.data.inputs import TrainingInput
from modelyard.data.samples import Samples
from modelyard.models import Model, NetworkTraining
from modelyard.models.engine import keras_model
from modelyard.models.families import autoencoder, decoded

LOSS = "sparse_categorical_crossentropy"


def training(loss: str = LOSS, **changes: Any) -> NetworkTraining:
    return NetworkTraining(**({"seed": 7, "epochs": 2, "batch_size": 16, "loss": loss} | changes))


@pytest.fixture(scope="module")
def backbone(image_input: TrainingInput, default_runtime: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small autoencoder."""
    folder = tmp_path_factory.mktemp("autoencoder")
    settings = autoencoder.Settings(family="autoencoder", latent_dim=4)
    models.fit(settings, training("mse"), image_input, training_context(folder))[0].save(folder)
    return folder


def fit(data: TrainingInput, folder: Path | None, **changes: Any) -> tuple[Model, pd.DataFrame]:
    settings = decoded.Settings(family="decoded", backbone="autoencoder", decoded_samples=50, units=(8,))
    return models.fit(settings, training(**changes), data, training_context(backbone=folder))


def decode(data: TrainingInput, folder: Path, count: int = 200) -> Samples:
    settings = decoded.Settings(family="decoded", backbone="autoencoder", decoded_samples=count)
    return decoded._decode(keras_model.load(folder), data, settings, seed=7)


def test_decoded_samples_are_of_the_kind_of_the_training_samples(backbone: Path, image_input: TrainingInput) -> None:
    made, x = decode(image_input, backbone), image_input.training.x
    assert made.x.shape == (200, *x.shape[1:])
    assert made.x.dtype == x.dtype
    assert x.min() <= made.x.min() and made.x.max() <= x.max()
    assert set(made.y) == set(image_input.training.y)


def test_a_class_of_one_sample_is_decoded_from_its_codes_alone(backbone: Path, image_input: TrainingInput) -> None:
    x = image_input.training.x[:2]
    rows = Samples(x, np.array([0, 1], dtype=np.uint8))
    made = decode(TrainingInput(describe(rows, 0, ("a", "b"), scaling="pixels"), rows), backbone)
    network = keras_model.load(backbone)
    restored = network.description.scaler.inverse_transform(network.predict(x))
    for label in (0, 1):
        alike = made.x[made.y == label]
        np.testing.assert_array_equal(alike, np.broadcast_to(alike[0], alike.shape))
        np.testing.assert_allclose(alike[0], np.rint(np.clip(restored[label], x.min(), x.max())), atol=1)


def test_validation_samples_stay_the_last_and_are_not_decoded_from(backbone: Path, image_input: TrainingInput) -> None:
    made = decode(image_input, backbone)
    joined = decoded._joined(image_input, made)
    assert len(joined.training.x) == len(image_input.training.x) + len(made)
    np.testing.assert_array_equal(joined.validation.x, image_input.validation.x)
    np.testing.assert_array_equal(joined.validation.y, image_input.validation.y)
    changed = Samples(image_input.samples.x.copy(), image_input.samples.y)
    changed.x[image_input.description.training_samples :] = 0
    np.testing.assert_array_equal(decode(TrainingInput(image_input.description, changed), backbone).x, made.x)


def test_a_training_repeats_to_the_bit_and_describes_its_own_input(backbone: Path, image_input: TrainingInput) -> None:
    (one, history), (other, _) = fit(image_input, backbone), fit(image_input, backbone)
    x = image_input.samples.x
    np.testing.assert_array_equal(one.predict(x), other.predict(x))
    assert one.description == image_input.description
    assert len(history) == 2


def test_a_network_without_a_decoder_is_refused(image_input: TrainingInput, tmp_path: Path) -> None:
    folder = tmp_path / "mlp"
    folder.mkdir()
    settings = models.families.mlp.Settings(family="mlp", units=(4,))
    models.fit(settings, training(epochs=1), image_input, training_context(folder))[0].save(folder)
    with pytest.raises(ModelyardError, match="autoencoder has no decoder"):
        fit(image_input, folder)


def test_samples_of_another_shape_are_refused(backbone: Path, image_input: TrainingInput) -> None:
    rows = Samples(image_input.samples.x[:, :4], image_input.samples.y)
    other = TrainingInput(describe(rows, 12, image_input.description.classes), rows)
    with pytest.raises(ModelyardError, match="takes samples of shape"):
        fit(other, backbone)


def test_a_training_without_the_folder_of_its_autoencoder_is_refused(image_input: TrainingInput) -> None:
    with pytest.raises(ModelyardError, match="--backbone FOLDER"):
        fit(image_input, None)
