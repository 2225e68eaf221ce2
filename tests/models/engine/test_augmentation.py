"""Augmentation changes training images only, and nothing of it is in the model."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.inputs import training_context

from modelyard import models
from modelyard.core.errors import ModelyardError
from modelyard.core.files import read_zip
from modelyard.data.inputs import TrainingInput
from modelyard.data.samples import Samples
from modelyard.models import NetworkTraining
from modelyard.models.engine import augmentation, keras_model
from modelyard.models.engine.training_settings import Augmentation
from modelyard.models.families import cnn, mlp

pytestmark = pytest.mark.usefixtures("default_runtime")

ALL = {"flip": "both", "shift": 0.2, "rotate": 20.0, "zoom": 0.2}
CNN = cnn.Settings(family="cnn", filters=(3, 4), batch_normalisation=True, convolution_dropout=0.2)


def training(**changes: Any) -> NetworkTraining:
    loss = "sparse_categorical_crossentropy"
    return NetworkTraining(**({"seed": 7, "epochs": 3, "batch_size": 16, "loss": loss} | changes))


def fit(data: TrainingInput, folder: Path, model: Any = CNN, **changes: Any) -> tuple:
    return models.fit(model, training(**changes), data, training_context(folder))


@pytest.fixture(scope="module")
def tilted() -> np.ndarray:
    """An image without any symmetry, eight times."""
    image = np.zeros((8, 8, 1), dtype=np.uint8)
    image[2, 2:5], image[3:5, 2] = 255, 128
    return np.stack([image] * 64)


def changed(images: np.ndarray, settings: dict, training_mode: bool) -> np.ndarray:
    """Images as the first layer behind the scaling sees them, here an output of its own."""
    import keras

    raw = keras.Input(images.shape[1:], dtype="uint8", name="raw")
    native = keras.Model(raw, keras.layers.Rescaling(1 / 255, name="scaling")(raw))
    native = keras.Model(raw, keras.layers.Identity()(native.outputs[0]))
    network = augmentation.augmented(native, training(augmentation=Augmentation(**settings)))
    return np.asarray(network(images, training=training_mode))


@pytest.mark.parametrize("settings", [{key: value} for key, value in ALL.items()])
def test_each_kind_changes_training_images_and_no_others(settings: dict, tilted: np.ndarray) -> None:
    np.testing.assert_allclose(changed(tilted, settings, training_mode=False), tilted / 255, atol=1e-6)
    different = np.abs(changed(tilted, settings, training_mode=True) - tilted / 255).max(axis=(1, 2, 3)) > 0.01
    assert 0.2 < different.mean() <= 1


@pytest.mark.parametrize(
    "flip, axes", [("horizontal", [(), (2,)]), ("vertical", [(), (1,)]), ("both", [(), (1,), (2,), (1, 2)])]
)
def test_flips_give_every_mirrored_image_and_no_other(flip: str, axes: list, tilted: np.ndarray) -> None:
    expected = {np.flip(tilted[:1] / 255, axis=each).round(4).tobytes() for each in axes}
    found = changed(tilted, {"flip": flip}, training_mode=True).astype(float).round(4)
    assert {image[np.newaxis].tobytes() for image in found} == expected


def test_a_flip_says_nothing_about_the_shift(tilted: np.ndarray) -> None:
    flips = np.abs(changed(tilted, {"flip": "horizontal"}, training_mode=True) - tilted / 255) > 0.01
    flipped = flips.reshape(len(tilted), -1).any(axis=1)
    rows = changed(tilted, {"flip": "horizontal", "shift": 0.125}, training_mode=True)[..., 0].sum(axis=2)
    centres = (rows * np.arange(8)).sum(axis=1) / rows.sum(axis=1)
    assert abs(np.corrcoef(flipped, centres)[0, 1]) < 0.3


def test_shifts_are_at_most_the_given_fraction(tilted: np.ndarray) -> None:
    rows = changed(tilted, {"shift": 0.125}, training_mode=True)[..., 0].sum(axis=2)
    centres = (rows * np.arange(8)).sum(axis=1) / rows.sum(axis=1)
    unmoved = tilted[0, ..., 0].sum(axis=1) @ np.arange(8) / tilted[0].sum()
    assert 0.5 < np.abs(centres - unmoved).max() <= 1.001


def test_zeros_are_no_augmentation(image_input: TrainingInput) -> None:
    settings = training(augmentation=Augmentation())
    native = keras_model.build(cnn, CNN, settings, image_input.description)
    assert augmentation.augmented(native, settings) is native


def test_one_seed_gives_equal_bytes_and_another_seed_others(image_input: TrainingInput, tmp_path: Path) -> None:
    written = []
    for number, seed in enumerate((7, 7, 8)):
        model, _ = fit(image_input, tmp_path, augmentation=Augmentation(**ALL), seed=seed)
        (tmp_path / str(number)).mkdir()
        model.save(tmp_path / str(number))
        written.append((tmp_path / str(number) / "model.keras").read_bytes())
    assert written[0] == written[1] != written[2]


def test_the_saved_model_and_the_validation_are_without_it(image_input: TrainingInput, tmp_path: Path) -> None:
    model, history = fit(image_input, tmp_path, augmentation=Augmentation(**ALL), checkpoint="val_loss")
    model.save(tmp_path)
    layers = json.loads(read_zip(tmp_path / "model.keras")["config.json"])["config"]["layers"]
    without = keras_model.build(cnn, CNN, training(), image_input.description).layers
    assert [layer["class_name"] for layer in layers] == [type(layer).__name__ for layer in without]
    loaded = models.load(tmp_path)
    np.testing.assert_array_equal(loaded.predict(image_input.samples.x), model.predict(image_input.samples.x))
    loaded.native.load_weights(tmp_path / "best.weights.h5")
    probabilities = model.predict(image_input.validation.x)
    truth = image_input.validation.y
    loss = -np.log(probabilities[np.arange(len(truth)), truth]).mean()
    assert history.val_loss.iloc[-1] == pytest.approx(loss, rel=1e-4)


def test_it_helps_where_the_test_images_are_shifted(tmp_path: Path, image_input: TrainingInput) -> None:
    """A bar in the upper or the lower half of the middle columns, and the same moved to the side."""
    random, y = np.random.default_rng(0), np.arange(80) % 2
    x = random.integers(0, 60, size=(80, 8, 8, 1)).astype(np.uint8)
    for image, label in zip(x, y, strict=True):
        image[1 + 4 * label : 3 + 4 * label, 3:5] = 255
    data = TrainingInput(image_input.description, Samples(x, y.astype(np.uint8)))
    moved = np.roll(x, 3, axis=2)
    accuracies = []
    for settings in (None, Augmentation(shift=0.4)):
        options = {"epochs": 30, "learning_rate": 0.01, "augmentation": settings}
        model, _ = fit(data, tmp_path, mlp.Settings(family="mlp", units=(8,)), **options)
        accuracies.append((model.predict(moved).argmax(axis=1) == y).mean())
    assert accuracies[1] > 0.9
    assert accuracies[1] >= accuracies[0]


def test_samples_that_are_no_images_are_refused(regression_input: TrainingInput, tmp_path: Path) -> None:
    with pytest.raises(ModelyardError, match=r"augmentation needs images.*samples of shape \(3,\): leave it out"):
        fit(
            regression_input, tmp_path, mlp.Settings(family="mlp", units=()), loss="mse",
            augmentation=Augmentation(shift=0.1),
        )  # fmt: skip


def test_a_network_is_left_as_it_is(image_input: TrainingInput) -> None:
    settings = training(augmentation=Augmentation(**ALL))
    native = keras_model.build(cnn, CNN, settings, image_input.description)
    before, names = native.to_json(), [layer.name for layer in native.layers]
    augmentation.augmented(native, settings)
    assert (native.to_json(), [layer.name for layer in native.layers]) == (before, names)
