"""Training settings allow exactly the losses of the tasks and the metrics of a history."""

from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from modelyard.models.engine.training_settings import EarlyStopping, NetworkTraining, trained_epoch


def training(**changes: Any) -> NetworkTraining:
    return NetworkTraining(**({"seed": 7, "epochs": 1, "loss": "mse"} | changes))


@pytest.mark.parametrize("monitor", ["val_loss", "val_accuracy", "val_mae"])
def test_the_validation_loss_and_every_history_metric_can_be_monitored(monitor: str) -> None:
    assert EarlyStopping(monitor=monitor, patience=1).monitor == monitor
    assert training(checkpoint=monitor).checkpoint == monitor


@pytest.mark.parametrize("monitor", ["loss", "val_r2", "val_mse"])
def test_what_no_history_has_cannot_be_monitored(monitor: str) -> None:
    with pytest.raises(ValidationError, match="Input should be 'val_loss', 'val_accuracy' or 'val_mae'"):
        EarlyStopping(monitor=monitor, patience=1)
    with pytest.raises(ValidationError, match="checkpoint"):
        training(checkpoint=monitor)


def test_the_losses_are_those_of_the_tasks() -> None:
    schema = NetworkTraining.model_json_schema()["properties"]["loss"]
    assert schema["enum"] == [
        "mse", "binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy", "detection"
    ]  # fmt: skip
    with pytest.raises(ValidationError, match="loss"):
        training(loss="hinge")


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_outside_of_32_bits_is_refused(seed: int) -> None:
    with pytest.raises(ValidationError, match="seed"):
        training(seed=seed)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"schedule": {"kind": "cosine", "epochs": 11}}, "schedule has 11 epochs, the training has 10: lower"),
        ({"schedule": {"kind": "cosine", "warmup_epochs": 10}}, "warmup_epochs is 10, and the schedule has 10"),
        ({"schedule": {"kind": "cosine", "epochs": 4, "warmup_epochs": 4}}, "warmup_epochs is 4.* has 4 epochs"),
        ({"schedule": {"kind": "reduce_on_plateau"}}, "patience is 10, .* has 10 epochs, .* never change"),
        (
            {"learning_rate": 0.1, "schedule": {"kind": "reduce_on_plateau", "patience": 2, "min_learning_rate": 0.1}},
            "min_learning_rate 0.1 is not below learning_rate 0.1",
        ),
        ({"schedule": {"kind": "cosinus"}}, "'constant', 'cosine', 'reduce_on_plateau'"),
        ({"schedule": {"kind": "constant", "warmup_epochs": 2}}, "no such key"),
        ({"weight_decay": 0.01}, "weight_decay is for the optimizer adamw, not adam"),
        ({"augmentation": {"rotate": 181.0}}, "less than or equal to 180"),
    ],
)
def test_a_schedule_or_option_that_cannot_be_meant_is_refused(changes: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        training(epochs=10, **changes)


@pytest.mark.parametrize(
    "changes, keys",
    [
        ({}, ()),
        ({"schedule": {"kind": "cosine"}, "augmentation": {"shift": 0.1}}, ()),
        ({"early_stopping": {"patience": 2}, "checkpoint": "val_mae"}, ("early_stopping", "checkpoint")),
        ({"schedule": {"kind": "reduce_on_plateau", "patience": 1}}, ("schedule",)),
        ({"reshuffle_before_split": True}, ("reshuffle_before_split",)),
    ],
)
def test_the_settings_that_need_validation_samples_are_known(changes: dict, keys: tuple) -> None:
    assert training(epochs=10, **changes).needs_validation == keys


def test_settings_without_the_new_keys_are_written_as_ever() -> None:
    """Else every stored run and record of an older experiment would be of other settings."""
    assert training(early_stopping={"patience": 3}).model_dump() == {
        "seed": 7, "epochs": 1, "batch_size": 32, "optimizer": "adam", "learning_rate": None, "loss": "mse",
        "early_stopping": {"monitor": "val_loss", "patience": 3}, "checkpoint": None, "shuffle_buffer": None,
        "reshuffle_before_split": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    "stopping, position",
    [
        (None, 3),
        ({"patience": 1}, 3),
        ({"patience": 1, "restore_best": True}, 1),
        ({"patience": 1, "restore_best": True, "monitor": "val_accuracy"}, 2),
    ],
)
def test_the_trained_epoch_is_the_last_or_the_first_of_the_best(stopping: dict | None, position: int) -> None:
    history = pd.DataFrame({"val_loss": [3.0, 1.0, 2.0, 1.0], "val_accuracy": [0.1, 0.5, 0.7, 0.6]})
    assert trained_epoch(training(early_stopping=stopping), history) == position
