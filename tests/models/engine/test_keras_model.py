"""The Keras kind: how a network is fed, scaled, stopped and kept."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.inputs import describe, training_context

from modelyard import models
from modelyard.core.errors import ModelyardError
from modelyard.data import scaling
from modelyard.data.inputs import TrainingInput
from modelyard.data.samples import Samples
from modelyard.models import NetworkTraining
from modelyard.models.engine.output_layer import Output, check_loss, output_of
from modelyard.models.engine.training_settings import EarlyStopping
from modelyard.models.families import cnn, mlp

ONE_NEURON = mlp.Settings(family="mlp", units=())


def training(**changes: Any) -> NetworkTraining:
    return NetworkTraining(**({"seed": 7, "epochs": 1, "batch_size": 6, "loss": "mse"} | changes))


def fit(data: TrainingInput, folder: Path, model: Any = ONE_NEURON, runtime: dict | None = None, **changes: Any):
    return models.fit(model, training(**changes), data, training_context(folder, **(runtime or {})))


def batches(data: TrainingInput, settings: NetworkTraining) -> Any:
    """Batches for a network without cells."""
    from modelyard.models.engine.tf_dataset import Batches

    return Batches(data, settings, ())


def scaled_by(method: str, data: TrainingInput) -> TrainingInput:
    scaler = scaling.fit(method, data.training.x)
    return TrainingInput(data.description.model_copy(update={"scaling": method, "scaler": scaler}), data.samples)


def without_validation(data: TrainingInput) -> TrainingInput:
    return TrainingInput(describe(data.samples), data.samples)


def numbered(rows: int, validation_rows: int) -> TrainingInput:
    """Samples whose only feature is their own number."""
    numbers = Samples(np.arange(rows, dtype=np.float32)[:, np.newaxis], np.zeros(rows))
    return TrainingInput(describe(numbers, validation_rows), numbers)


def numbers_in(dataset: Any, batches: int) -> list[int]:
    return [int(number) for x, _ in dataset.take(batches) for number in np.ravel(x)]


# --- fitting ---


def test_steps_per_execution_changes_no_weight_and_no_figure(regression_input: TrainingInput, tmp_path: Path) -> None:
    (one, its_history), (eight, other_history) = (
        fit(regression_input, tmp_path, epochs=3, runtime={"steps_per_execution": steps}) for steps in (1, 8)
    )
    for each, other in zip(one.native.get_weights(), eight.native.get_weights(), strict=True):
        np.testing.assert_allclose(each, other, atol=1e-5)
    np.testing.assert_allclose(its_history, other_history, rtol=1e-5)
    assert list(its_history.columns) == ["epoch", "loss", "mae", "val_loss", "val_mae"]


def test_class_numbers_and_one_hot_rows_train_the_same_network(image_input: TrainingInput, tmp_path: Path) -> None:
    losses = ("categorical_crossentropy", "sparse_categorical_crossentropy")
    one_hot, numbers = (fit(image_input, tmp_path, loss=loss)[0].native.get_weights() for loss in losses)
    for each, other in zip(one_hot, numbers, strict=True):
        np.testing.assert_allclose(each, other, atol=1e-4)


@pytest.mark.parametrize("given, used", [(None, 0.01), (0.05, 0.05)])
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
    standing_still = {"optimizer": "sgd", "learning_rate": 1e-12}
    _, history = fit(regression_input, tmp_path, epochs=9, early_stopping=stopping, **standing_still)
    assert len(history) == 1 + patience


def test_the_checkpoint_holds_the_best_epochs_weights_and_the_model_the_lasts(
    regression_input: TrainingInput, tmp_path: Path
) -> None:
    restless = {"epochs": 9, "learning_rate": 1.0}
    model, history = fit(regression_input, tmp_path, checkpoint="val_loss", **restless)
    assert history.val_loss.idxmin() < len(history) - 1

    def validation_loss() -> float:
        validation = regression_input.validation
        return np.mean(np.square(model.predict(validation.x) - validation.y))

    assert validation_loss() == pytest.approx(history.val_loss.iloc[-1], rel=1e-4)
    model.native.load_weights(tmp_path / "best.weights.h5")
    assert validation_loss() == pytest.approx(history.val_loss.min(), rel=1e-4)


def test_a_training_that_diverges_stops_with_advice(regression_input: TrainingInput, tmp_path: Path) -> None:
    with pytest.raises(ModelyardError, match=r"diverged.*training\.learning_rate.*sgd, learning_rate 1000000\.0"):
        fit(regression_input, tmp_path, epochs=50, optimizer="sgd", learning_rate=1e6)


@pytest.mark.parametrize(
    "wish",
    [{"early_stopping": EarlyStopping(patience=1)}, {"checkpoint": "val_loss"}, {"reshuffle_before_split": True}],
)
def test_what_watches_validation_rows_is_refused_where_there_are_none(
    wish: dict, regression_input: TrainingInput, tmp_path: Path
) -> None:
    with pytest.raises(ModelyardError, match=r"need validation rows.*give its `split` a `validation` fraction"):
        fit(without_validation(regression_input), tmp_path, **wish)


# --- the scaling inside ---


@pytest.mark.parametrize("method", ["none", "minmax", "standard"])
def test_the_scaling_layer_is_the_scaler_in_float32(
    method: str, regression_input: TrainingInput, tmp_path: Path
) -> None:
    data = scaled_by(method, regression_input)
    model, _ = fit(data, tmp_path)
    scaled = model.native.get_layer("scaling")(data.samples.x.astype(np.float32))
    assert scaled.dtype == "float32"
    np.testing.assert_allclose(scaled, data.description.scaler.transform(data.samples.x), atol=1e-6, rtol=1e-6)


def test_images_stay_bytes_up_to_the_model_and_are_scaled_in_float32_at_any_precision(
    image_input: TrainingInput, tmp_path: Path
) -> None:
    settings = {"loss": "sparse_categorical_crossentropy"}
    ((batch, _),) = batches(image_input, training(**settings)).training().take(1)
    model, _ = fit(image_input, tmp_path, runtime={"precision": "mixed_bfloat16"}, **settings)
    assert batch.dtype == "uint8"
    assert model.native.inputs[0].dtype == "uint8"
    scaled = model.native.get_layer("scaling")(image_input.samples.x)
    assert scaled.dtype == "float32"
    np.testing.assert_allclose(scaled, image_input.samples.x / 255, atol=1e-6)


# --- batches ---


def test_every_epoch_sees_each_training_row_once_in_another_order() -> None:
    numbers = numbers_in(batches(numbered(20, 5), training(batch_size=4)).training(), batches=3 * 4)
    epochs = [numbers[start : start + 15] for start in (0, 15, 30)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(15))] * 3
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]


def test_the_same_seed_shuffles_alike_and_another_does_not() -> None:
    first, again, other = (
        numbers_in(batches(numbered(20, 5), training(seed=seed)).training(), batches=6) for seed in (7, 7, 8)
    )
    assert first == again != other


def test_validation_rows_are_the_last_ones_and_are_never_trained_on() -> None:
    data = numbered(20, 5)
    assert max(numbers_in(batches(data, training()).training(), batches=60)) == 14
    validation = batches(data, training()).validation()
    assert numbers_in(validation, 9) == numbers_in(validation, 9) == [15, 16, 17, 18, 19]


def test_reshuffling_before_the_split_trains_on_validation_rows() -> None:
    """The leak of notebook 002: every epoch draws 15 of all 20 rows, and validates on 5 of any."""
    data, leaky = numbered(20, 5), training(batch_size=15, reshuffle_before_split=True)
    numbers = numbers_in(batches(data, leaky).training(), batches=8)
    assert set(numbers) == set(range(20))
    assert all(len(set(numbers[start : start + 15])) == 15 for start in range(0, 8 * 15, 15))
    validation = batches(data, leaky).validation()
    first, second = numbers_in(validation, 9), numbers_in(validation, 9)
    assert len(set(first)) == len(set(second)) == 5
    assert first != second


# --- what people see ---


def test_the_first_convolution_tells_its_kernels_and_what_it_finds_in_a_raw_image(
    image_input: TrainingInput, tmp_path: Path
) -> None:
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


def test_a_network_without_convolutions_has_none_to_show(regression_input: TrainingInput, tmp_path: Path) -> None:
    model, _ = fit(regression_input, tmp_path)
    assert model.first_convolution(regression_input.samples.x[0]) is None


def test_layers_tell_kind_shape_and_count_of_numbers(regression_input: TrainingInput, tmp_path: Path) -> None:
    model, _ = fit(regression_input, tmp_path, mlp.Settings(family="mlp", units=(4,)))
    assert [(each.name, each.kind, each.shape) for each in model.layers] == [
        ("raw", "InputLayer", (3,)),
        ("scaling", "Normalization", (3,)),
        ("dense", "Dense", (4,)),
        ("dense_1", "Dense", (1,)),
    ]
    assert [each.parameters for each in model.layers][2:] == [3 * 4 + 4, 4 + 1]


# --- what does not fit together ---


def test_a_cnn_refuses_rows_that_are_no_images(regression_input: TrainingInput, tmp_path: Path) -> None:
    with pytest.raises(ModelyardError, match=r"cnn needs images .*rows of shape \(3,\)"):
        fit(regression_input, tmp_path, cnn.Settings(family="cnn", filters=(2,)))


@pytest.mark.parametrize(
    "settings, told",
    [
        ({"filters": (2, 2, 2, 2)}, r"convolution 4 of filters \[2, 2, 2, 2\] gets a map of 2 x 2"),
        ({"filters": (2,), "kernel_size": 9}, "convolution 1 .* map of 8 x 8, too small for kernel_size 9"),
        ({"filters": (2, 2), "pooling": "each"}, "convolution 2 .* map of 3 x 3.*pooling each"),
        ({"filters": (2,) * 4, "pooling": "each", "padding": "same"}, "convolution 4 .* map of 1 x 1.*padding same"),
    ],
)
def test_a_cnn_refuses_to_shrink_images_to_nothing(
    settings: dict, told: str, image_input: TrainingInput, tmp_path: Path
) -> None:
    with pytest.raises(ModelyardError, match=told):
        fit(image_input, tmp_path, cnn.Settings(family="cnn", **settings), loss="sparse_categorical_crossentropy")


@pytest.mark.parametrize(
    "task, classes, loss, expected",
    [
        ("regression", 0, "mse", Output(1, "linear")),
        ("classification", 2, "binary_crossentropy", Output(1, "sigmoid")),
        ("classification", 2, "categorical_crossentropy", Output(2, "softmax")),
        ("classification", 10, "sparse_categorical_crossentropy", Output(10, "softmax")),
        ("reconstruction", 10, "mse", Output(784, "linear")),
        ("reconstruction", 0, "binary_crossentropy", Output(784, "sigmoid")),
        ("detection", 10, "detection", Output(15, "detection")),
    ],
)
def test_the_last_layer_follows_from_task_and_loss(task: str, classes: int, loss: str, expected: Output) -> None:
    assert output_of(task, classes, size=784, loss=loss) == expected


@pytest.mark.parametrize(
    "task, classes, loss, told",
    [
        ("regression", 0, "binary_crossentropy", "does not fit a regression; take mse"),
        ("classification", 2, "mse", "does not fit a classification; take binary_crossentropy or categorical_"),
        ("reconstruction", 2, "detection", "does not fit a reconstruction; take mse or binary_crossentropy"),
        ("detection", 2, "mse", "does not fit a detection; take detection"),
        ("classification", 3, "binary_crossentropy", "is for 2 classes, this input has 3"),
    ],
)
def test_a_loss_that_does_not_fit_the_task_is_refused(task: str, classes: int, loss: str, told: str) -> None:
    with pytest.raises(ModelyardError, match=f"{loss} {told}"):
        check_loss(task, classes, loss)
