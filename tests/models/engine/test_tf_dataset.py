"""Batches: order, shuffling, the split of training and validation samples, and their targets."""

from typing import Any

import numpy as np
import pytest
from support.inputs import describe

from modelyard.data.inputs import TrainingInput
from modelyard.data.samples import Samples
from modelyard.models import NetworkTraining

pytestmark = pytest.mark.usefixtures("default_runtime")


def training(**changes: Any) -> NetworkTraining:
    return NetworkTraining(**({"seed": 7, "epochs": 1, "batch_size": 6, "loss": "mse"} | changes))


def batches(data: TrainingInput, settings: NetworkTraining) -> Any:
    """Batches for a network without cells."""
    from modelyard.models.engine.tf_dataset import Batches

    return Batches(data, settings, ())


def numbered(rows: int, validation_samples: int) -> TrainingInput:
    """Samples whose only feature is their own number."""
    numbers = Samples(np.arange(rows, dtype=np.float32)[:, np.newaxis], np.zeros(rows))
    return TrainingInput(describe(numbers, validation_samples), numbers)


def numbers_in(dataset: Any, batches: int) -> list[int]:
    return [int(number) for x, _ in dataset.take(batches) for number in np.ravel(x)]


def test_every_epoch_has_each_training_sample_once_in_another_order() -> None:
    numbers = numbers_in(batches(numbered(20, 5), training(batch_size=4)).training(), batches=3 * 4)
    epochs = [numbers[start : start + 15] for start in (0, 15, 30)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(15))] * 3
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]


def test_the_order_depends_on_the_seed_only() -> None:
    first, again, other = (
        numbers_in(batches(numbered(20, 5), training(seed=seed)).training(), batches=6) for seed in (7, 7, 8)
    )
    assert first == again != other


def test_validation_samples_are_the_last_ones_and_never_trained_on() -> None:
    data = numbered(20, 5)
    assert max(numbers_in(batches(data, training()).training(), batches=60)) == 14
    validation = batches(data, training()).validation()
    assert numbers_in(validation, 9) == numbers_in(validation, 9) == [15, 16, 17, 18, 19]


def test_reshuffling_before_the_split_trains_on_validation_samples() -> None:
    """The leak of notebook 002: every epoch draws 15 of all 20 samples, and validates on any 5."""
    data, leaky = numbered(20, 5), training(batch_size=15, reshuffle_before_split=True)
    numbers = numbers_in(batches(data, leaky).training(), batches=8)
    assert set(numbers) == set(range(20))
    assert all(len(set(numbers[start : start + 15])) == 15 for start in range(0, 8 * 15, 15))
    validation = batches(data, leaky).validation()
    first, second = numbers_in(validation, 9), numbers_in(validation, 9)
    assert len(set(first)) == len(set(second)) == 5
    assert first != second


def test_no_tuner_runs_whose_sleep_the_end_of_a_fit_would_wait_for() -> None:
    of_fit = batches(numbered(20, 5), training())
    for dataset in (of_fit.training(), of_fit.training(skipped=3), of_fit.validation()):
        assert dataset.options().autotune.enabled is False


def test_images_stay_uint8(image_input: TrainingInput) -> None:
    ((x, _),) = batches(image_input, training(loss="sparse_categorical_crossentropy")).training().take(1)
    assert x.dtype == "uint8"


def test_the_targets_of_a_reconstruction_are_the_scaled_samples_in_float32(image_input: TrainingInput) -> None:
    description = image_input.description.model_copy(update={"task": "reconstruction"})
    ((x, y),) = batches(TrainingInput(description, image_input.samples), training()).training().take(1)
    assert (x.dtype, y.dtype) == ("uint8", "float32")
    np.testing.assert_array_equal(y, description.scaler.transform(x.numpy().astype(np.float32), np.float32))
