"""What comes out of a network, given by the task and the loss."""

from typing import Any, Literal, NamedTuple

from modelyard.errors import ModelyardError
from modelyard.rows import Task

Loss = Literal["mse", "binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy"]


class Output(NamedTuple):
    """The last layer: how many numbers, and through which activation."""

    units: int
    activation: Literal["linear", "sigmoid", "softmax"]


def output_layer(output: Output) -> Any:
    """The dense layer that ends a network; in float32, so that probabilities add up to 1 in any precision."""
    from keras import layers

    return layers.Dense(output.units, activation=output.activation, dtype="float32")


def output_of(task: Task, classes: int, loss: Loss) -> Output:
    """The output layer that goes with a task and a loss.

    Raises:
        ModelyardError: the loss does not fit the task, or two classes were needed and there are more.
    """
    if (task == "regression") != (loss == "mse"):
        fitting = "mse" if task == "regression" else "a cross-entropy"
        raise ModelyardError(f"{loss} does not fit a {task}; take {fitting}")
    if task == "regression":
        return Output(1, "linear")
    if loss != "binary_crossentropy":
        return Output(classes, "softmax")
    if classes != 2:
        raise ModelyardError(f"binary_crossentropy is for 2 classes, this input has {classes}")
    return Output(1, "sigmoid")
