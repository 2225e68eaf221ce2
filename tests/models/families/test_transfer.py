"""Transfer learning: a frozen backbone is asked once, joined in the end, and learns where fine tuning is wished."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.inputs import describe, training_context

from modelyard import metrics, models
from modelyard.core.errors import ModelyardError
from modelyard.data.inputs import TrainingInput, refit
from modelyard.data.samples import Samples
from modelyard.data.target_scaling import TargetScaler
from modelyard.models import Model, NetworkTraining
from modelyard.models.engine.keras_model import predict_native
from modelyard.models.families import autoencoder, backbones, cnn, mlp, transfer

LOSS = "sparse_categorical_crossentropy"
TUNING = transfer.FineTuning(epochs=2, learning_rate=0.01)


def training(loss: str = LOSS, **changes: Any) -> NetworkTraining:
    return NetworkTraining(**({"seed": 7, "epochs": 3, "batch_size": 16, "loss": loss} | changes))


def save(settings: Any, loss: str, data: TrainingInput, folder: Path) -> Path:
    """Train a network of another family to start from."""
    folder.mkdir()
    models.fit(settings, training(loss, epochs=1), data, training_context(folder))[0].save(folder)
    return folder


@pytest.fixture(scope="module")
def trained(image_input: TrainingInput, default_runtime: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small convolutional network."""
    folder = tmp_path_factory.mktemp("backbone") / "trained"
    return save(cnn.Settings(family="cnn", filters=(3,), pooling="last"), LOSS, image_input, folder)


@pytest.fixture
def other_images(image_input: TrainingInput) -> TrainingInput:
    """Images of which the left or the right half is brighter."""
    random, y = np.random.default_rng(1), np.arange(60) % 2
    x = random.integers(0, 100, size=(60, 8, 8, 1))
    x[:, :, :4] += 150 * (1 - y[:, None, None, None])
    x[:, :, 4:] += 150 * y[:, None, None, None]
    rows = Samples(x.astype(np.uint8), y.astype(np.uint8))
    scaler = image_input.description.scaler
    return TrainingInput(describe(rows, 12, ("left", "right"), scaling="pixels", scaler=scaler), rows)


def fit(
    data: TrainingInput,
    backbone: Path | None,
    report: Any = lambda figures: None,
    training_settings: NetworkTraining | None = None,
    **changes: Any,
) -> tuple[Model, pd.DataFrame]:
    settings = transfer.Settings(**({"family": "transfer", "backbone": "trained", "units": (8,)} | changes))
    return models.fit(
        settings, training_settings or training(), data, training_context(report=report, backbone=backbone)
    )


def weights_of_backbone(model: Model) -> list[np.ndarray]:
    return model.native.get_layer("backbone").get_weights()


def test_a_frozen_backbone_keeps_its_weights(trained: Path, other_images: TrainingInput) -> None:
    model, _ = fit(other_images, trained)
    before = backbones.load(trained, cnn.FEATURES, other_images.description).get_weights()
    assert len(before) >= 2
    for kept, weights in zip(weights_of_backbone(model), before, strict=True):
        np.testing.assert_array_equal(kept, weights)


def test_features_computed_once_give_the_predictions_of_the_joined_network(
    trained: Path, other_images: TrainingInput
) -> None:
    model, history = fit(other_images, trained)
    x = other_images.samples.x
    features = predict_native(backbones.load(trained, cnn.FEATURES, other_images.description), x)
    apart = predict_native(model.native.get_layer("head"), features)
    assert np.ptp(apart) > 0.01
    np.testing.assert_allclose(model.predict(x), apart, atol=1e-5)
    validation = other_images.validation
    columns = metrics.columns("classification", validation.y, model.predict(validation.x))
    assert history.val_loss.iloc[-1] == pytest.approx(np.mean(columns["loss"]), rel=1e-4)


def test_the_head_learns_from_the_features_of_another_network(trained: Path, other_images: TrainingInput) -> None:
    _, history = fit(other_images, trained, training_settings=training(epochs=25, learning_rate=0.01))
    assert history.val_accuracy.iloc[-1] > 0.9
    assert list(history.epoch) == list(range(1, 26))


def test_fine_tuning_changes_the_backbone_as_well(trained: Path, other_images: TrainingInput) -> None:
    reports: list[dict] = []
    model, history = fit(other_images, trained, reports.append, fine_tuning=TUNING)
    before = backbones.load(trained, cnn.FEATURES, other_images.description).get_weights()
    moved = [np.abs(tuned - weights).max() for tuned, weights in zip(weights_of_backbone(model), before, strict=True)]
    assert max(moved) > 1e-3
    assert list(history.epoch) == [report["epoch"] for report in reports] == [1, 2, 3, 4, 5]
    validation = other_images.validation
    columns = metrics.columns("classification", validation.y, model.predict(validation.x))
    assert history.val_loss.iloc[-1] == pytest.approx(np.mean(columns["loss"]), rel=1e-4)


def test_fine_tuning_begins_where_the_first_training_ended(trained: Path, other_images: TrainingInput) -> None:
    _, plain = fit(other_images, trained)
    _, tuned = fit(other_images, trained, fine_tuning=TUNING)
    pd.testing.assert_frame_equal(tuned.head(3), plain)
    assert tuned.loss.iloc[3] < plain.loss.iloc[0]


@pytest.mark.parametrize("fine_tuning", [None, TUNING])
def test_a_saved_transfer_includes_its_backbone(
    fine_tuning: transfer.FineTuning | None, trained: Path, other_images: TrainingInput, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(trained, tmp_path / "trained"))
    model, _ = fit(other_images, copy, dropout=0.3, fine_tuning=fine_tuning)
    (tmp_path / "saved").mkdir()
    model.save(tmp_path / "saved")
    shutil.rmtree(copy)
    loaded = models.load(tmp_path / "saved")
    assert loaded.description == other_images.description
    np.testing.assert_allclose(loaded.predict(other_images.samples.x), model.predict(other_images.samples.x), atol=1e-6)


def test_two_transfers_with_one_seed_give_equal_bytes(
    trained: Path, other_images: TrainingInput, tmp_path: Path
) -> None:
    saved = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        fit(other_images, trained, dropout=0.3, fine_tuning=TUNING)[0].save(tmp_path / name)
        saved.append((tmp_path / name / "model.keras").read_bytes())
    assert saved[0] == saved[1]


def test_layers_are_those_of_backbone_and_head(trained: Path, other_images: TrainingInput) -> None:
    model, _ = fit(other_images, trained)
    kinds = [layer.kind for layer in model.layers if layer.kind != "InputLayer"]
    assert kinds[:4] == ["Normalization", "Conv2D", "MaxPooling2D", "Flatten"]
    assert kinds.count("Dense") == 2
    assert sum(layer.parameters for layer in model.layers) == model.native.count_params()


def test_codes_of_an_autoencoder_can_be_the_features(image_input: TrainingInput, tmp_path: Path) -> None:
    settings = autoencoder.Settings(family="autoencoder", latent_dim=5)
    folder = save(settings, "mse", image_input, tmp_path / "restoring")
    model, _ = fit(image_input, folder, layer=autoencoder.CODES)
    assert model.native.get_layer("head").input_shape == (None, 5)
    assert model.predict(image_input.samples.x).shape == (80, 2)
    assert model.description.task == "classification"


def test_regression_on_features_of_a_table_is_possible(regression_input: TrainingInput, tmp_path: Path) -> None:
    folder = save(mlp.Settings(family="mlp", units=(6,)), "mse", regression_input, tmp_path / "table")
    training_settings = training("mse", epochs=60, learning_rate=0.05)
    model, _ = fit(regression_input, folder, training_settings=training_settings, layer="scaling", units=())
    found = model.predict(regression_input.samples.x)
    assert np.corrcoef(found, regression_input.samples.y)[0, 1] > 0.9


@pytest.mark.parametrize("fine_tuning", [None, TUNING])
def test_scaled_targets_are_learnt_and_predicted_in_their_own_unit(
    fine_tuning: transfer.FineTuning | None, regression_input: TrainingInput, tmp_path: Path
) -> None:
    folder = save(mlp.Settings(family="mlp", units=(6,)), "mse", regression_input, tmp_path / "table")
    samples = Samples(regression_input.samples.x, 200_000 + 10_000 * regression_input.samples.y)
    unfitted = regression_input.description.model_copy(update={"target_scaler": TargetScaler(method="standard")})
    data = TrainingInput(refit(unfitted, samples), samples)
    settings = training("mse", epochs=60, learning_rate=0.05)
    model, history = fit(data, folder, training_settings=settings, layer="scaling", units=(), fine_tuning=fine_tuning)
    (tmp_path / "saved").mkdir()
    model.save(tmp_path / "saved")
    found = models.load(tmp_path / "saved").predict(samples.x)
    assert np.abs(found - samples.y).mean() < 2_000
    error = np.abs(found - samples.y)[len(data.training) :].mean()
    assert history.val_mae.iloc[-1] == pytest.approx(error, rel=1e-4)


def test_a_transfer_without_a_backbone_is_refused(other_images: TrainingInput, tmp_path: Path) -> None:
    with pytest.raises(ModelyardError, match="needs the folder of its backbone trained: --backbone FOLDER"):
        fit(other_images, None)
    with pytest.raises(ModelyardError, match="holds no backbone"):
        fit(other_images, tmp_path)


def test_an_unknown_layer_is_refused(trained: Path, other_images: TrainingInput) -> None:
    with pytest.raises(ModelyardError, match="has no layer 'featuers'; it has: raw, scaling"):
        fit(other_images, trained, layer="featuers")
