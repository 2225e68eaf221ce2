"""Weights of classes, which make up for classes of different sizes: those of scikit-learn's `balanced`."""

import numpy as np

from modelyard.core.errors import ModelyardError
from modelyard.data.inputs import TrainingInput
from modelyard.data.samples import TARGET_KINDS, Task
from modelyard.models.engine.training_settings import TrainingSettings


def check_class_weights(training: TrainingSettings, task: Task) -> None:
    """Refuse weights of classes for a task that has none.

    Raises:
        ModelyardError: The task is no classification.
    """
    if training.class_weights != "none" and TARGET_KINDS[task] != "class":
        raise ModelyardError(f"`class_weights` is for a classification, and this is a {task}; leave it out")


def class_weights(training: TrainingSettings, data: TrainingInput) -> dict[int, float] | None:
    """Return the weight of each class in a loss, 1 for one without a training sample; None for no weights.

    Raises:
        ModelyardError: The task is no classification.
    """
    from sklearn.utils.class_weight import compute_class_weight

    check_class_weights(training, data.description.task)
    if training.class_weights == "none":
        return None
    y = np.asarray(data.training.y)
    present = np.unique(y)
    weights = dict(zip(present.tolist(), compute_class_weight("balanced", classes=present, y=y).tolist(), strict=True))
    return {number: weights.get(number, 1.0) for number in range(len(data.description.classes))}


def sample_weights(training: TrainingSettings, data: TrainingInput) -> np.ndarray | None:
    """Return the weight of each training sample: that of its class; None for no weights."""
    weights = class_weights(training, data)
    return None if weights is None else np.array([weights[label] for label in data.training.y.tolist()])
