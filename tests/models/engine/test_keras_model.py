"""Keras models: fitting, the scaling layer, checkpoints, layers, and inputs that are refused."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.inputs import describe, training_context

from modelyard import models
from modelyard.core.errors import ModelyardError
from modelyard.data import scaling
from modelyard.data.inputs import TrainingInput, refit
from modelyard.data.samples import Samples
from modelyard.data.target_scaling import TargetScaler
from modelyard.models import NetworkTraining
from modelyard.models.engine import keras_model
from modelyard.models.engine.training_settings import EarlyStopping, PlateauSchedule, trained_epoch
from modelyard.models.families import autoencoder, cnn, mlp

ONE_NEURON = mlp.Settings(family="mlp", units=())


def training(**changes: Any) -> NetworkTraining:
    return NetworkTraining(**({"seed": 7, "epochs": 1, "batch_size": 6, "loss": "mse"} | changes))


def fit(data: TrainingInput, folder: Path, model: Any = ONE_NEURON, runtime: dict | None = None, **changes: Any):
    return models.fit(model, training(**changes), data, training_context(folder, **(runtime or {})))


def scaled_by(method: str, data: TrainingInput) -> TrainingInput:
    scaler = scaling.fit(method, data.training.x)
    return TrainingInput(data.description.model_copy(update={"scaling": method, "scaler": scaler}), data.samples)


def without_validation(data: TrainingInput) -> TrainingInput:
    return TrainingInput(describe(data.samples), data.samples)


# --- fitting ---


def test_steps_per_execution_changes_neither_weights_nor_history(
    regression_input: TrainingInput, tmp_path: Path
) -> None:
    (one, its_history), (eight, other_history) = (
        fit(regression_input, tmp_path, epochs=3, runtime={"steps_per_execution": steps}) for steps in (1, 8)
    )
    for each, other in zip(one.native.get_weights(), eight.native.get_weights(), strict=True):
        np.testing.assert_allclose(each, other, atol=1e-5)
    np.testing.assert_allclose(its_history, other_history, rtol=1e-5)
    assert list(its_history.columns) == ["epoch", "loss", "mae", "val_loss", "val_mae"]


def test_sparse_and_one_hot_cross_entropy_train_the_same_network(image_input: TrainingInput, tmp_path: Path) -> None:
    losses = ("categorical_crossentropy", "sparse_categorical_crossentropy")
    one_hot, numbers = (fit(image_input, tmp_path, loss=loss)[0].native.get_weights() for loss in losses)
    for each, other in zip(one_hot, numbers, strict=True):
        np.testing.assert_allclose(each, other, atol=1e-4)


@pytest.mark.parametrize(("given", "used"), [(None, 0.01), (0.05, 0.05)])
def test_a_learning_rate_of_null_is_the_optimizers_default(
    given: float | None, used: float, regression_input: TrainingInput, tmp_path: Path
) -> None:
    model, _ = fit(regression_input, tmp_path, optimizer="sgd", learning_rate=given)
    assert float(model.native.optimizer.learning_rate) == pytest.approx(used)


@pytest.mark.parametrize("patience", [1, 3])
def test_early_stopping_ends_a_training_that_no_longer_improves(
    patience: int, regression_input: TrainingInput, tmp_path: Path
) -> None:
    stopping = EarlyStopping(patience=patience)
    tiny_steps = {"optimizer": "sgd", "learning_rate": 1e-12}
    _, history = fit(regression_input, tmp_path, epochs=9, early_stopping=stopping, **tiny_steps)
    assert len(history) == 1 + patience


def test_the_checkpoint_has_the_weights_of_the_best_epoch_and_the_model_those_of_the_last(
    regression_input: TrainingInput, tmp_path: Path
) -> None:
    large_steps = {"epochs": 9, "learning_rate": 1.0}
    model, history = fit(regression_input, tmp_path, checkpoint="val_loss", **large_steps)
    assert history.val_loss.idxmin() < len(history) - 1

    def validation_loss() -> float:
        validation = regression_input.validation
        return np.mean(np.square(model.predict(validation.x) - validation.y))

    assert validation_loss() == pytest.approx(history.val_loss.iloc[-1], rel=1e-4)
    model.native.load_weights(tmp_path / "best.weights.h5")
    assert validation_loss() == pytest.approx(history.val_loss.min(), rel=1e-4)


LARGE_STEPS = {"epochs": 9, "learning_rate": 1.0}


@pytest.mark.parametrize("patience", [1, 20])
def test_the_model_has_the_weights_of_the_best_epoch_if_they_are_restored(
    patience: int, regression_input: TrainingInput, tmp_path: Path
) -> None:
    stopping = EarlyStopping(patience=patience, restore_best=True)
    model, history = fit(regression_input, tmp_path, early_stopping=stopping, **LARGE_STEPS)
    best = history.val_loss.idxmin()
    assert best < len(history) - 1
    assert best == trained_epoch(training(early_stopping=stopping), history)
    validation = regression_input.validation
    loss = np.mean(np.square(model.predict(validation.x) - validation.y))
    assert loss == pytest.approx(history.val_loss.min(), rel=1e-4)


def test_a_plateau_reduces_the_learning_rate_and_the_history_has_it(
    regression_input: TrainingInput, tmp_path: Path
) -> None:
    schedule = PlateauSchedule(kind="reduce_on_plateau", patience=2, factor=0.5, min_learning_rate=3e-13)
    options = {"optimizer": "sgd", "learning_rate": 1e-12, "schedule": schedule}
    _, history = fit(regression_input, tmp_path, epochs=8, **options)
    assert list(history.columns) == ["epoch", "loss", "mae", "val_loss", "val_mae", "learning_rate"]
    expected = np.array([1, 1, 1, 0.5, 0.5, 0.3, 0.3, 0.3]) * 1e-12
    np.testing.assert_allclose(history.learning_rate, expected, rtol=1e-5)


def test_a_cosine_has_the_learning_rate_of_each_epochs_start_in_the_history(
    regression_input: TrainingInput, tmp_path: Path
) -> None:
    _, history = fit(regression_input, tmp_path, epochs=4, learning_rate=0.1, schedule={"kind": "cosine"})
    np.testing.assert_allclose(history.learning_rate, 0.05 * (1 + np.cos(np.pi * np.arange(4) / 4)), rtol=1e-5)


def test_a_diverging_training_stops_with_advice(regression_input: TrainingInput, tmp_path: Path) -> None:
    with pytest.raises(ModelyardError, match=r"diverged.*training\.learning_rate.*sgd, learning_rate 1000000\.0"):
        fit(regression_input, tmp_path, epochs=50, optimizer="sgd", learning_rate=1e6)


@pytest.mark.parametrize(
    "setting",
    [
        {"early_stopping": EarlyStopping(patience=1)},
        {"checkpoint": "val_loss"},
        {"reshuffle_before_split": True},
        {"epochs": 3, "schedule": PlateauSchedule(kind="reduce_on_plateau", patience=1)},
    ],
)
def test_settings_that_need_validation_samples_are_refused_without_them(
    setting: dict, regression_input: TrainingInput, tmp_path: Path
) -> None:
    (key, *_) = (each for each in setting if each != "epochs")
    with pytest.raises(ModelyardError, match=rf"{key} need.* validation samples.*give its `split` a `validation`"):
        fit(without_validation(regression_input), tmp_path, **setting)


# --- scaling ---


@pytest.mark.parametrize("method", ["none", "minmax", "standard"])
def test_the_scaling_layer_equals_the_scaler_in_float32(
    method: str, regression_input: TrainingInput, tmp_path: Path
) -> None:
    data = scaled_by(method, regression_input)
    model, _ = fit(data, tmp_path)
    scaled = model.native.get_layer("scaling")(data.samples.x.astype(np.float32))
    assert scaled.dtype == "float32"
    np.testing.assert_allclose(scaled, data.description.scaler.transform(data.samples.x), atol=1e-6, rtol=1e-6)


def test_the_model_takes_uint8_images_and_scales_them_in_float32_at_any_precision(
    image_input: TrainingInput, tmp_path: Path
) -> None:
    settings = {"loss": "sparse_categorical_crossentropy"}
    model, _ = fit(image_input, tmp_path, runtime={"precision": "mixed_bfloat16"}, **settings)
    assert model.native.inputs[0].dtype == "uint8"
    scaled = model.native.get_layer("scaling")(image_input.samples.x)
    assert scaled.dtype == "float32"
    np.testing.assert_allclose(scaled, image_input.samples.x / 255, atol=1e-6)


# --- target scaling ---


def prices(data: TrainingInput, unit: float = 1.0) -> TrainingInput:
    """Positive targets around 200,000, in a unit of so many dollars."""
    y = np.exp(0.3 * data.samples.y) * 100_000 / unit
    return TrainingInput(data.description, Samples(data.samples.x, y))


def with_scaled_targets(method: str, data: TrainingInput) -> TrainingInput:
    unfitted = data.description.model_copy(update={"target_scaler": TargetScaler(method=method)})
    return TrainingInput(refit(unfitted, data.samples), data.samples)


HIDDEN = mlp.Settings(family="mlp", units=(16,))


def test_a_network_learns_large_targets_as_well_as_small_ones(regression_input: TrainingInput, tmp_path: Path) -> None:
    large, small = (with_scaled_targets("standard", prices(regression_input, unit)) for unit in (1, 100_000))
    predictions, errors = [], []
    for data in (large, small):
        model, history = fit(data, tmp_path, HIDDEN, epochs=40, learning_rate=0.01)
        predictions.append(model.predict(data.samples.x))
        errors.append(history.val_mae.to_numpy())
    np.testing.assert_allclose(predictions[0], predictions[1] * 100_000, rtol=1e-4)
    np.testing.assert_allclose(errors[0], errors[1] * 100_000, rtol=1e-3)
    assert np.corrcoef(predictions[0], large.samples.y)[0, 1] > 0.98


def test_without_scaling_it_does_not_learn_large_targets(regression_input: TrainingInput, tmp_path: Path) -> None:
    data = prices(regression_input)
    model, _ = fit(data, tmp_path, HIDDEN, epochs=40, learning_rate=0.01)
    assert model.predict(data.samples.x).max() < data.samples.y.min()


@pytest.mark.parametrize("method", ["standard", "log"])
def test_the_history_has_the_loss_of_scaled_targets_and_the_metric_in_their_own_unit(
    method: str, regression_input: TrainingInput, tmp_path: Path
) -> None:
    data = with_scaled_targets(method, prices(regression_input))
    model, history = fit(data, tmp_path, HIDDEN, epochs=5)
    predicted, scale = model.predict(data.validation.x), data.description.target_scaler.transform
    last = history.iloc[-1]
    assert last.val_mae == pytest.approx(np.abs(predicted - data.validation.y).mean(), rel=1e-5)
    assert last.val_loss == pytest.approx(np.square(scale(predicted) - scale(data.validation.y)).mean(), rel=1e-3)


@pytest.mark.parametrize("method", ["standard", "log"])
def test_a_network_of_scaled_targets_is_loaded_without_code_of_this_project(
    method: str, regression_input: TrainingInput, tmp_path: Path
) -> None:
    data = with_scaled_targets(method, prices(regression_input))
    model, _ = fit(data, tmp_path, HIDDEN, epochs=5, checkpoint="val_mae")
    model.save(tmp_path)
    expected, x = model.predict(data.samples.x), data.samples.x.astype(np.float32)
    np.testing.assert_allclose(models.load(tmp_path).predict(data.samples.x), expected, rtol=1e-6)
    command = (
        "import keras, numpy; numpy.save('y', keras.saving.load_model('model.keras').predict(numpy.load('x.npy')))"
    )
    np.save(tmp_path / "x.npy", x)
    subprocess.run([sys.executable, "-c", command], cwd=tmp_path, env=os.environ | {"PYTHONPATH": ""}, check=True)
    np.testing.assert_allclose(np.load(tmp_path / "y.npy")[:, 0], expected, rtol=1e-4)


def test_the_checkpoint_of_scaled_targets_fits_the_model(regression_input: TrainingInput, tmp_path: Path) -> None:
    data = with_scaled_targets("log", prices(regression_input))
    model, history = fit(data, tmp_path, HIDDEN, epochs=9, learning_rate=1.0, checkpoint="val_mae")
    assert history.val_mae.idxmin() < len(history) - 1
    model.native.load_weights(tmp_path / "best.weights.h5")
    error = np.abs(model.predict(data.validation.x) - data.validation.y).mean()
    assert error == pytest.approx(history.val_mae.min(), rel=1e-4)


def test_an_autoencoder_ignores_the_scaling_of_targets(regression_input: TrainingInput, tmp_path: Path) -> None:
    settings = autoencoder.Settings(family="autoencoder", latent_dim=2)
    data = with_scaled_targets("standard", prices(regression_input))
    models_of_both = [fit(each, tmp_path, settings)[0] for each in (data, regression_input)]
    assert models_of_both[0].description.target_scaler is None
    np.testing.assert_array_equal(*(model.predict(data.samples.x) for model in models_of_both))


# --- layers ---


def test_the_first_convolution_returns_its_kernels_and_feature_maps(image_input: TrainingInput, tmp_path: Path) -> None:
    from scipy.signal import correlate2d

    settings = cnn.Settings(family="cnn", filters=(3, 2), activation="linear")
    model, _ = fit(image_input, tmp_path, settings, loss="sparse_categorical_crossentropy")
    image = image_input.samples.x[0]
    kernels, maps = model.first_convolution(image)
    assert (kernels.shape, maps.shape) == ((3, 3, 1, 3), (6, 6, 3))
    bias = model.native.layers[2].get_weights()[1]
    for number in range(3):
        expected = correlate2d(image[..., 0] / 255, kernels[:, :, 0, number], mode="valid") + bias[number]
        np.testing.assert_allclose(maps[..., number], expected, atol=1e-5)


def test_a_network_without_convolutions_has_no_first_convolution(
    regression_input: TrainingInput, tmp_path: Path
) -> None:
    model, _ = fit(regression_input, tmp_path)
    assert model.first_convolution(regression_input.samples.x[0]) is None


def test_layers_have_kind_shape_and_number_of_parameters(regression_input: TrainingInput, tmp_path: Path) -> None:
    model, _ = fit(regression_input, tmp_path, mlp.Settings(family="mlp", units=(4,)))
    assert [(each.name, each.kind, each.shape) for each in model.layers] == [
        ("raw", "InputLayer", (3,)),
        ("scaling", "Normalization", (3,)),
        ("dense", "Dense", (4,)),
        ("dense_1", "Dense", (1,)),
    ]
    assert [each.parameters for each in model.layers][2:] == [3 * 4 + 4, 4 + 1]


SAME = {"padding": "same", "pooling": "each"}


@pytest.mark.parametrize(
    ("settings", "kinds", "shape"),
    [
        ({"filters": (2, 3), "stride": 2, "padding": "same"}, ["Conv2D", "Conv2D"], (2, 2, 3)),
        ({"filters": (2, 3), "stride": 2}, ["Conv2D", "Conv2D"], (1, 1, 3)),
        ({"filters": (2,), "stride": 5, "kernel_size": 3, "pooling": "last"}, ["Conv2D", "MaxPooling2D"], (1, 1, 2)),
        ({"filters": (2,), "stride": 7, **SAME}, ["Conv2D", "MaxPooling2D"], (1, 1, 2)),
        ({"filters": (2, 3), "convolutions": 2, "kernel_size": 2}, ["Conv2D"] * 4, (4, 4, 3)),
        ({"filters": (2, 3), "convolutions": 2, **SAME}, ["Conv2D", "Conv2D", "MaxPooling2D"] * 2, (2, 2, 3)),
        ({"filters": (2,), "pooling_kind": "average", **SAME}, ["Conv2D", "AveragePooling2D"], (4, 4, 2)),
        (
            {"filters": (2,), "batch_normalisation": True, **SAME},
            ["Conv2D", "BatchNormalization", "Activation", "MaxPooling2D"],
            (4, 4, 2),
        ),
    ],
)
def test_a_cnn_has_the_layers_that_its_settings_name(
    settings: dict, kinds: list, shape: tuple, image_input: TrainingInput
) -> None:
    described = training(loss="sparse_categorical_crossentropy")
    native = keras_model.build(
        cnn, cnn.Settings(family="cnn", **settings), described, image_input.description
    )  # the first two layers are input and scaling
    flatten = next(number for number, layer in enumerate(native.layers) if layer.name == "features")
    assert [type(layer).__name__ for layer in native.layers[2:flatten]] == kinds
    assert native.layers[flatten - 1].output.shape[1:] == shape


# --- refused inputs ---


def test_a_cnn_refuses_samples_that_are_not_images(regression_input: TrainingInput, tmp_path: Path) -> None:
    with pytest.raises(ModelyardError, match=r"cnn needs images .*samples of shape \(3,\)"):
        fit(regression_input, tmp_path, cnn.Settings(family="cnn", filters=(2,)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"filters": (2, 2, 2, 2)}, r"convolution 4 of filters \[2, 2, 2, 2\] gets a map of 2 x 2"),
        ({"filters": (2,), "kernel_size": 9}, "convolution 1 .* map of 8 x 8, too small for kernel_size 9"),
        ({"filters": (2, 2), "pooling": "each"}, "convolution 2 .* map of 3 x 3.*pooling each"),
        ({"filters": (2,) * 4, "pooling": "each", "padding": "same"}, "convolution 4 .* map of 1 x 1.*padding same"),
        ({"filters": (2, 2), "convolutions": 3}, "convolution 2 .* map of 2 x 2, too small"),
        ({"filters": (2, 2, 2), "stride": 2}, "convolution 3 .* map of 1 x 1.* stride 2, .*smaller kernel or stride"),
        ({"filters": (2,), "stride": 6, "pooling": "last"}, "convolution 1 .* map of 8 x 8.* stride 6"),
        ({"filters": (2,), "stride": 8, "pooling": "last", "padding": "same"}, "convolution 1 .* stride 8"),
    ],
)
def test_a_cnn_refuses_images_too_small_for_its_convolutions(
    settings: dict, message: str, image_input: TrainingInput, tmp_path: Path
) -> None:
    with pytest.raises(ModelyardError, match=message):
        fit(image_input, tmp_path, cnn.Settings(family="cnn", **settings), loss="sparse_categorical_crossentropy")
