"""Networks to start from: another experiment's up to a layer, VGG16 from Keras's file, and what cannot be had."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from support.inputs import describe, training_context

from modelyard import models
from modelyard.core.errors import ModelyardError
from modelyard.data.inputs import InputDescription, TrainingInput
from modelyard.data.samples import Samples
from modelyard.models import NetworkTraining
from modelyard.models.engine.keras_model import load_native, predict_native
from modelyard.models.families import backbones, cnn

pytestmark = pytest.mark.usefixtures("default_runtime")

RANDOM = np.random.default_rng(3)
PHOTOGRAPHS = RANDOM.integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
COLOURED = describe(Samples(PHOTOGRAPHS, np.zeros(6, np.uint8)), classes=("cat", "dog"))


@pytest.fixture(scope="module")
def trained(image_input: TrainingInput, default_runtime: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small convolutional network."""
    settings = cnn.Settings(family="cnn", filters=(3,), pooling="last", units=(5,))
    training = NetworkTraining(seed=7, epochs=1, loss="sparse_categorical_crossentropy")
    folder = tmp_path_factory.mktemp("trained")
    models.fit(settings, training, image_input, training_context(folder))[0].save(folder)
    return folder


# --- of another experiment ---


def test_a_backbone_computes_features_of_raw_samples(trained: Path, image_input: TrainingInput) -> None:
    import keras

    backbone = backbones.load(trained, cnn.FEATURES, image_input.description)
    features = predict_native(backbone, image_input.samples.x)
    assert features.shape == (80, 3 * 3 * 3)
    whole = load_native(trained / "model.keras")
    above = keras.Model(whole.get_layer(cnn.FEATURES).output, whole.output)
    np.testing.assert_allclose(
        predict_native(above, features), models.load(trained).predict(image_input.samples.x), atol=1e-6
    )


def test_a_backbone_is_frozen(trained: Path, image_input: TrainingInput) -> None:
    backbone = backbones.load(trained, cnn.FEATURES, image_input.description)
    assert backbone.trainable_weights == []
    assert len(backbone.non_trainable_weights) >= 2


def test_an_unknown_layer_is_refused_with_the_layers_there_are(trained: Path, image_input: TrainingInput) -> None:
    with pytest.raises(ModelyardError, match=r"has no layer 'codes'; it has: raw, scaling, .*features, dense"):
        backbones.load(trained, "codes", image_input.description)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"shape": (28, 28, 1)},
            r"samples of shape \(8, 8, 1\) and type uint8; this input has \(28, 28, 1\) and uint8",
        ),
        ({"dtype": "float64"}, r"type uint8; this input has \(8, 8, 1\) and float32"),
    ],
)  # fmt: skip
def test_a_network_with_another_input_is_refused(
    changes: dict, message: str, trained: Path, image_input: TrainingInput
) -> None:
    with pytest.raises(ModelyardError, match=message):
        backbones.load(trained, cnn.FEATURES, image_input.description.model_copy(update=changes))


def test_a_folder_without_a_network_is_refused_with_the_expected_files(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "not there"):
        with pytest.raises(
            ModelyardError, match=rf"{folder} holds no backbone.*model\.keras or vgg16_weights.*notop\.h5"
        ):
            backbones.load(folder, cnn.FEATURES, COLOURED)


# --- VGG16 ---


@pytest.fixture(scope="module")
def convolutions(default_runtime: None) -> Any:
    """VGG16 with random weights."""
    import keras

    keras.utils.set_random_seed(7)
    return keras.applications.VGG16(weights=None, include_top=False, input_shape=(32, 32, 3))


@pytest.fixture(scope="module")
def weights(convolutions: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with those weights, in the old format in which Keras distributes VGG16's."""
    from keras.src.legacy.saving import legacy_h5_format

    folder = tmp_path_factory.mktemp("weights")
    with h5py.File(folder / backbones.VGG16_FILE, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, convolutions)
    return folder


def test_the_preprocessing_is_that_of_vgg16() -> None:
    import keras

    untouched = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Identity()])
    prepared = predict_native(backbones.vgg16_on(untouched, COLOURED), PHOTOGRAPHS).reshape(PHOTOGRAPHS.shape)
    expected = keras.applications.vgg16.preprocess_input(PHOTOGRAPHS.astype(np.float32))
    np.testing.assert_allclose(prepared, expected, atol=1e-3)
    assert np.abs(prepared - PHOTOGRAPHS).max() > 100


def test_vgg16_computes_the_maps_of_its_last_convolutions_from_raw_photographs(
    convolutions: Any, weights: Path
) -> None:
    import keras

    backbone = backbones.load(weights, "features", COLOURED)
    prepared = keras.applications.vgg16.preprocess_input(PHOTOGRAPHS.astype(np.float32))
    expected = predict_native(convolutions, prepared).reshape(6, 512)
    assert np.ptp(expected) > 1e-3
    np.testing.assert_allclose(predict_native(backbone, PHOTOGRAPHS), expected, rtol=1e-4, atol=1e-5)
    assert backbone.trainable_weights == []


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 1), (31, 32, 3), (32, 31, 3), (3072,)])
def test_vgg16_refuses_images_that_are_not_rgb_or_too_small(shape: tuple[int, ...], weights: Path) -> None:
    description: InputDescription = COLOURED.model_copy(update={"shape": shape})
    with pytest.raises(ModelyardError, match=r"VGG16 takes color images of at least 32 x 32 pixels .*this input has"):
        backbones.load(weights, "features", description)
