"""Training settings allow exactly the losses of the tasks and the metrics of a history."""

from typing import Any

import pytest
from pydantic import ValidationError

from modelyard.models.engine.training_settings import EarlyStopping, NetworkTraining


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
