"""What training needs to know of each task: its losses with their output layer and targets, and its predictions."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from modelyard.core.errors import ModelyardError
from modelyard.data.inputs import InputDescription
from modelyard.data.samples import Task
from modelyard.models.engine import box_coding

EncodeTargets = Callable[[np.ndarray, InputDescription, tuple[int, ...]], np.ndarray]


class Output(NamedTuple):
    """The last layer of a network: number of units and activation; `detection` has one for each part of a cell."""

    units: int
    activation: Literal["linear", "sigmoid", "softmax", "detection"]


@dataclass(frozen=True)
class TrainingLoss:
    """A loss that networks of a task can be trained with.

    Attributes:
        output: The output layer that the loss needs, for an input.
        encode_targets: Turns targets into what the loss takes, given the input and the shape of the output between
            samples and units; None where the target is the scaled input itself.
        function: What Keras computes; None for Keras's own loss of this name.
        classes: The only number of classes that the loss is for, if any.
    """

    output: Callable[[InputDescription], Output]
    encode_targets: EncodeTargets | None
    function: Callable[[Any, Any], Any] | None = None
    classes: int | None = None


@dataclass(frozen=True)
class EstimatorPredictions:
    """How a scikit-learn estimator predicts for a task.

    Attributes:
        method: The method of the estimator that gives this project's predictions.
        dtype: The type that the estimator's own `predict` returns.
    """

    method: Literal["predict", "predict_proba"]
    dtype: Literal["float64", "int64"]


@dataclass(frozen=True)
class TrainingTask:
    """How models are trained for one task.

    Attributes:
        losses: The allowed losses of a network, by their name in params.yaml.
        decode: Turns the raw outputs of a network (n, ...) into predictions.
        estimator: How an estimator predicts; None where estimators cannot be trained for the task.
        uses_targets: Whether training uses the targets of the data set; if not, data of any task will do.
    """

    losses: Mapping[str, TrainingLoss]
    decode: Callable[[np.ndarray], np.ndarray]
    estimator: EstimatorPredictions | None = None
    uses_targets: bool = True


def output_layer(output: Output) -> Any:
    """The dense layer that ends a network; in float32, so that probabilities add up to 1 in any precision."""
    from keras import layers

    return layers.Dense(output.units, activation=output.activation, dtype="float32")


def loss_names() -> tuple[str, ...]:
    """Names of the losses of all tasks."""
    return tuple(dict.fromkeys(name for task in TASKS.values() for name in task.losses))


def check_loss(task: Task, classes: int, loss: str) -> None:
    """Refuse a loss that does not fit a task and its number of classes.

    Raises:
        ModelyardError: The loss is not one of the task's, or is for another number of classes.
    """
    allowed = TASKS[task].losses
    if loss not in allowed:
        raise ModelyardError(f"{loss} does not fit a {task}; take {' or '.join(allowed)}")
    if allowed[loss].classes not in (None, classes):
        raise ModelyardError(f"{loss} is for {allowed[loss].classes} classes, this input has {classes}")


def find_loss(description: InputDescription, name: str) -> TrainingLoss:
    """Return a loss of the input's task.

    Raises:
        ModelyardError: The loss does not fit the task (see `check_loss`).
    """
    check_loss(description.task, len(description.classes), name)
    return TASKS[description.task].losses[name]


def estimator_predictions(task: Task) -> EstimatorPredictions:
    """Return how an estimator predicts for a task.

    Raises:
        ModelyardError: Estimators cannot be trained for the task.
    """
    predictions = TASKS[task].estimator
    if predictions is None:
        raise ModelyardError(f"scikit-learn estimators cannot be trained for {task}")
    return predictions


def _one_unit(activation: Literal["linear", "sigmoid"]) -> Callable[[InputDescription], Output]:
    return lambda _: Output(1, activation)


def _unit_for_each_feature(activation: Literal["linear", "sigmoid"]) -> Callable[[InputDescription], Output]:
    return lambda description: Output(math.prod(description.shape), activation)


def _unit_for_each_class(description: InputDescription) -> Output:
    return Output(len(description.classes), "softmax")


def _cells(description: InputDescription) -> Output:
    return Output(box_coding.BOX_NUMBERS + len(description.classes), "detection")


def _column(y: np.ndarray, _description: InputDescription, _cells: tuple[int, ...]) -> np.ndarray:
    """Numbers (n, 1)."""
    return np.asarray(y, dtype=np.float32)[:, np.newaxis]


def _scaled_column(y: np.ndarray, description: InputDescription, cells: tuple[int, ...]) -> np.ndarray:
    """Scaled targets (n, 1)."""
    return _column(description.target_scaler.transform(y) if description.target_scaler else y, description, cells)


def _class_numbers(y: np.ndarray, _description: InputDescription, _cells: tuple[int, ...]) -> np.ndarray:
    """Class numbers (n,)."""
    return np.asarray(y, dtype=np.int32)


def _one_hot(y: np.ndarray, description: InputDescription, _cells: tuple[int, ...]) -> np.ndarray:
    """One-hot vectors (n, classes)."""
    vectors: np.ndarray = np.eye(len(description.classes), dtype=np.float32)[y]
    return vectors


def _grids(y: np.ndarray, description: InputDescription, cells: tuple[int, ...]) -> np.ndarray:
    """Grids of cells (n, rows, columns, 5 + classes)."""
    rows, columns = cells
    return box_coding.encode(y, description.shape, len(description.classes), (rows, columns))


def _both_probabilities(outputs: np.ndarray) -> np.ndarray:
    """Probabilities (n, classes); of two classes with one sigmoid, the output is that of the second class."""
    return np.hstack([1 - outputs, outputs]) if outputs.shape[1:] == (1,) else outputs


def _unchanged(outputs: np.ndarray) -> np.ndarray:
    return outputs


TASKS: dict[Task, TrainingTask] = {
    "regression": TrainingTask(
        losses={"mse": TrainingLoss(_one_unit("linear"), _scaled_column)},
        decode=lambda outputs: outputs[:, 0],
        estimator=EstimatorPredictions("predict", "float64"),
    ),
    "classification": TrainingTask(
        losses={
            "binary_crossentropy": TrainingLoss(_one_unit("sigmoid"), _column, classes=2),
            "categorical_crossentropy": TrainingLoss(_unit_for_each_class, _one_hot),
            "sparse_categorical_crossentropy": TrainingLoss(_unit_for_each_class, _class_numbers),
        },
        decode=_both_probabilities,
        estimator=EstimatorPredictions("predict_proba", "int64"),
    ),
    "reconstruction": TrainingTask(
        losses={
            "mse": TrainingLoss(_unit_for_each_feature("linear"), encode_targets=None),
            "binary_crossentropy": TrainingLoss(_unit_for_each_feature("sigmoid"), encode_targets=None),
        },
        decode=_unchanged,
        uses_targets=False,
    ),
    "detection": TrainingTask(
        losses={"detection": TrainingLoss(_cells, _grids, function=box_coding.loss)},
        decode=_unchanged,
    ),
}
"""How models are trained for each task; a new task is one more record."""
