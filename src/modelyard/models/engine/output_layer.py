"""What comes out of a network, given by the task and the loss."""

from typing import Any, Literal, NamedTuple

from modelyard.core.errors import ModelyardError
from modelyard.data.samples import Task

Loss = Literal["mse", "binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy", "detection"]


class Output(NamedTuple):
    """The last layer: how many numbers, and through which activation; a detector has one for each part of a cell."""

    units: int
    activation: Literal["linear", "sigmoid", "softmax", "detection"]


def output_layer(output: Output) -> Any:
    """The dense layer that ends a network; in float32, so that probabilities add up to 1 in any precision."""
    from keras import layers

    return layers.Dense(output.units, activation=output.activation, dtype="float32")


FITTING: dict[Task, tuple[Loss, ...]] = {
    "classification": ("binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy"),
    "regression": ("mse",),
    "reconstruction": ("mse", "binary_crossentropy"),
    "detection": ("detection",),
}
"""The losses that each task can be trained with."""


def check_loss(task: Task, classes: int, loss: Loss) -> None:
    """Refuse a loss that does not go with a task.

    Raises:
        ModelyardError: the loss does not fit, or is for two classes and there are more.
    """
    if loss not in FITTING[task]:
        raise ModelyardError(f"{loss} does not fit a {task}; take {' or '.join(FITTING[task])}")
    if task == "classification" and loss == "binary_crossentropy" and classes != 2:
        raise ModelyardError(f"binary_crossentropy is for 2 classes, this input has {classes}")


def output_of(task: Task, classes: int, size: int, loss: Loss) -> Output:
    """The output that goes with a task, the number of classes, the size of a row, and a loss (see `check_loss`)."""
    check_loss(task, classes, loss)
    if task == "detection":
        return Output(5 + classes, "detection")
    if loss == "mse":
        return Output(size if task == "reconstruction" else 1, "linear")
    if loss == "binary_crossentropy":
        return Output(size if task == "reconstruction" else 1, "sigmoid")
    return Output(classes, "softmax")
