"""Training tasks: which losses fit, their output layer and targets, and how outputs become predictions."""

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from support.inputs import describe, training_context

from modelyard import models
from modelyard.core.errors import ModelyardError
from modelyard.data.inputs import InputDescription, TrainingInput
from modelyard.data.samples import Samples, Task
from modelyard.metrics import definitions
from modelyard.models import NetworkTraining
from modelyard.models.engine import box_coding, tasks
from modelyard.models.engine.tasks import Output, TrainingLoss, TrainingTask, check_loss, find_loss
from modelyard.models.families import mlp


def described(task: str, classes: int) -> InputDescription:
    """An input of 784 pixels."""
    names = tuple(f"class {number}" for number in range(classes))
    samples = Samples(np.zeros((2, 28, 28, 1), np.uint8), np.zeros(2))
    return describe(samples, classes=names, task=task)


def test_every_task_has_a_record() -> None:
    assert set(tasks.TASKS) == set(get_args(Task))


@pytest.mark.parametrize(
    ("task", "classes", "loss", "expected"),
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
def test_the_output_layer_follows_from_task_and_loss(task: str, classes: int, loss: str, expected: Output) -> None:
    description = described(task, classes)
    assert find_loss(description, loss).output(description) == expected


@pytest.mark.parametrize(
    ("task", "classes", "loss", "message"),
    [
        ("regression", 0, "binary_crossentropy", "does not fit a regression; take mse"),
        ("classification", 2, "mse", "does not fit a classification; take binary_crossentropy or categorical_"),
        ("reconstruction", 2, "detection", "does not fit a reconstruction; take mse or binary_crossentropy"),
        ("detection", 2, "mse", "does not fit a detection; take detection"),
        ("classification", 3, "binary_crossentropy", "is for 2 classes, this input has 3"),
    ],
)
def test_a_loss_that_does_not_fit_the_task_is_refused(task: Task, classes: int, loss: str, message: str) -> None:
    with pytest.raises(ModelyardError, match=f"{loss} {message}"):
        check_loss(task, classes, loss)
    with pytest.raises(ModelyardError, match=f"{loss} {message}"):
        find_loss(described(task, classes), loss)


@pytest.mark.parametrize(
    ("task", "loss", "expected"),
    [
        ("regression", "mse", np.float32([[1], [0]])),
        ("classification", "binary_crossentropy", np.float32([[1], [0]])),
        ("classification", "categorical_crossentropy", np.float32([[0, 1], [1, 0]])),
        ("classification", "sparse_categorical_crossentropy", np.int32([1, 0])),
    ],
)
def test_targets_are_encoded_for_the_loss(task: str, loss: str, expected: np.ndarray) -> None:
    description = described(task, 2)
    targets = find_loss(description, loss).encode_targets(np.array([1, 0], np.uint8), description, ())
    np.testing.assert_array_equal(targets, expected)
    assert targets.dtype == expected.dtype


def test_the_targets_of_a_detection_are_cells() -> None:
    description = described("detection", 2)
    boxes = np.float32([[[1, 4, 4, 10, 10]]])
    loss = find_loss(description, "detection")
    expected = box_coding.encode(boxes, description.shape, 2, (7, 7))
    np.testing.assert_array_equal(loss.encode_targets(boxes, description, (7, 7)), expected)
    assert loss.function is box_coding.loss


@pytest.mark.parametrize(
    ("task", "outputs", "expected"),
    [
        ("regression", [[2.0], [3.0]], [2.0, 3.0]),
        ("classification", [[0.25], [1.0]], [[0.75, 0.25], [0.0, 1.0]]),
        ("classification", [[0.1, 0.2, 0.7]], [[0.1, 0.2, 0.7]]),
        ("reconstruction", [[0.5]], [[0.5]]),
        ("detection", [[0.5]], [[0.5]]),
    ],
)
def test_outputs_become_predictions(task: Task, outputs: list, expected: list) -> None:
    np.testing.assert_array_equal(tasks.TASKS[task].decode(np.float32(outputs)), np.float32(expected))


@pytest.mark.parametrize("task", ["reconstruction", "detection"])
def test_estimators_are_refused_for_tasks_without_one(task: Task) -> None:
    with pytest.raises(ModelyardError, match=f"estimators cannot be trained for {task}"):
        tasks.estimator_predictions(task)


def test_a_new_task_is_one_record_here_and_one_among_the_metrics(
    monkeypatch: pytest.MonkeyPatch, regression_input: TrainingInput, tmp_path: Path
) -> None:
    """Doubled values: a task that no module of the package names."""

    def doubled(y: np.ndarray, *_: Any) -> np.ndarray:
        return np.float32(2 * y)[:, np.newaxis]

    losses = {"mse": TrainingLoss(lambda _: Output(1, "linear"), doubled)}
    record = TrainingTask(losses, decode=lambda outputs: outputs[:, 0] / 2)
    monkeypatch.setitem(tasks.TASKS, "doubled", record)
    monkeypatch.setitem(definitions.METRICS, "doubled", definitions.METRICS["regression"])
    monkeypatch.setattr(mlp, "TASKS", ("doubled",), raising=False)
    description = regression_input.description.model_copy(update={"task": "doubled"})
    training = NetworkTraining(seed=7, epochs=60, batch_size=6, learning_rate=0.05, loss="mse")
    data = TrainingInput(description, regression_input.samples)
    model, history = models.fit(mlp.Settings(family="mlp", units=()), training, data, training_context(tmp_path))
    assert list(history.columns) == ["epoch", "loss", "mae", "val_loss", "val_mae"]
    np.testing.assert_allclose(model.predict(data.samples.x), data.samples.y, atol=0.5)
