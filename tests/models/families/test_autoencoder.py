"""The autoencoder: one network and its two halves, which squeeze rows and restore them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.inputs import describe, training_context

from modelyard import models
from modelyard.data.inputs import TrainingInput
from modelyard.data.samples import Samples
from modelyard.models import Model, NetworkTraining
from modelyard.models.engine.keras_model import load_native, predict_native
from modelyard.models.families import autoencoder

CODES = 6


def fit(data: TrainingInput, folder: Path, loss: str = "mse", epochs: int = 3, **changes: Any):
    settings = autoencoder.Settings(**({"family": "autoencoder", "latent_dim": CODES, "units": (20,)} | changes))
    training = NetworkTraining(seed=7, epochs=epochs, batch_size=16, learning_rate=0.01, loss=loss)
    return models.fit(settings, training, data, training_context(folder))


@pytest.fixture(scope="module")
def restored(image_input: TrainingInput, default_runtime: None, tmp_path_factory: pytest.TempPathFactory) -> Model:
    return fit(image_input, tmp_path_factory.mktemp("autoencoder"))[0]


def through_both(submodels: dict[str, Any], rows: np.ndarray) -> np.ndarray:
    return predict_native(submodels["decoder"], predict_native(submodels["encoder"], rows))


def test_encoder_then_decoder_equals_the_model(restored: Model, image_input: TrainingInput) -> None:
    x = image_input.samples.x
    assert predict_native(restored.submodels["encoder"], x).shape == (80, CODES)
    whole = restored.predict(x)
    assert whole.shape == x.shape
    assert np.ptp(whole) > 0.1
    np.testing.assert_allclose(through_both(restored.submodels, x), whole, atol=1e-6)


def test_all_three_models_share_their_weights(restored: Model, image_input: TrainingInput) -> None:
    before, weights = restored.predict(image_input.samples.x), restored.native.get_weights()
    restored.native.set_weights([each + 0.1 for each in weights])
    after, through = restored.predict(image_input.samples.x), through_both(restored.submodels, image_input.samples.x)
    restored.native.set_weights(weights)  # other tests have the same model
    assert np.abs(after - before).max() > 0.01
    np.testing.assert_allclose(through, after, atol=1e-5)


def test_each_submodel_is_saved_as_a_model_of_its_own(
    restored: Model, image_input: TrainingInput, tmp_path: Path
) -> None:
    folder = tmp_path / "saved"
    folder.mkdir()
    restored.save(folder)
    assert {path.name for path in folder.iterdir()} == {"model.keras", "encoder.keras", "decoder.keras", "input.json"}
    x, expected = image_input.samples.x, restored.predict(image_input.samples.x)
    alone = {name: load_native(folder / f"{name}.keras") for name in ("encoder", "decoder")}
    loaded = models.load(folder)
    assert loaded.submodels.keys() == alone.keys()
    np.testing.assert_allclose(loaded.predict(x), expected, atol=1e-6)
    np.testing.assert_allclose(through_both(loaded.submodels, x), expected, atol=1e-6)
    np.testing.assert_allclose(through_both(alone, x), expected, atol=1e-6)


def test_the_decoder_has_the_encoders_layers_in_reverse_order(image_input: TrainingInput, tmp_path: Path) -> None:
    model, _ = fit(image_input, tmp_path, epochs=1, units=(20, 10))
    widths = [layer.shape[0] for layer in model.layers if layer.kind == "Dense"]
    assert widths == [20, 10, CODES, 10, 20, 64]
    encoder, decoder = (
        [each.units for each in model.submodels[name].layers if hasattr(each, "units")]
        for name in ("encoder", "decoder")
    )
    assert encoder + decoder == widths


def test_the_model_learns_to_reconstruct_the_scaled_input(image_input: TrainingInput, tmp_path: Path) -> None:
    model, history = fit(image_input, tmp_path, epochs=5)
    assert list(history.columns) == ["epoch", "loss", "mae", "val_loss", "val_mae"]
    error = model.predict(image_input.validation.x) - image_input.validation.x / 255
    assert history.val_loss.iloc[-1] == pytest.approx(np.mean(error**2), rel=1e-4)
    assert history.val_mae.iloc[-1] == pytest.approx(np.mean(np.abs(error)), rel=1e-4)
    assert history.loss.iloc[-1] < history.loss.iloc[0] / 2


def test_pixels_reconstructed_by_cross_entropy_are_from_0_to_1(image_input: TrainingInput, tmp_path: Path) -> None:
    model, _ = fit(image_input, tmp_path, loss="binary_crossentropy")
    restored = model.predict(image_input.samples.x)
    assert 0 <= restored.min() < restored.max() <= 1


@pytest.mark.parametrize("loss", ["mse", "binary_crossentropy"])
def test_samples_of_a_single_feature_are_reconstructed(loss: str, tmp_path: Path) -> None:
    """A single number is a probability in a classification only."""
    rows = Samples(np.linspace(0, 1, 20)[:, np.newaxis], np.zeros(20))
    model, _ = fit(TrainingInput(describe(rows), rows), tmp_path, loss, epochs=1, latent_dim=1)
    assert model.predict(rows.x).shape == (20, 1)


def test_a_data_set_of_any_task_can_be_reconstructed(
    regression_input: TrainingInput, word_input: TrainingInput, tmp_path: Path
) -> None:
    for data in (regression_input, word_input):
        model, _ = fit(data, tmp_path, epochs=1)
        assert model.description.task == "reconstruction"
        assert model.description.dtype == data.description.dtype
        assert model.predict(data.samples.x).shape == data.samples.x.shape
