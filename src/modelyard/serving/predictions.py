"""A model's outputs as a table for people: one row for each given row, of a detection one for each box."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from modelyard import metrics
from modelyard.data.inputs import InputDescription
from modelyard.data.samples import Task
from modelyard.metrics import detection
from modelyard.models.engine import box_coding
from modelyard.serving.batch import PredictionBatch

SIDES = ("left", "top", "right", "bottom")


def answers(given: PredictionBatch, outputs: np.ndarray, description: InputDescription) -> pd.DataFrame:
    """What a model says of each given row, after the columns that name it."""
    return _ANSWERS[description.task](given, outputs, description)


def certain_boxes(outputs: np.ndarray, description: InputDescription) -> detection.Boxes:
    """The boxes that a model is sure of, in its own pixels."""
    found = box_coding.decode(outputs, description.shape)
    return found.take(np.flatnonzero(found.score >= detection.CERTAIN))


def _classes(given: PredictionBatch, outputs: np.ndarray, description: InputDescription) -> pd.DataFrame:
    names = np.array(description.classes)
    truth = {} if given.truth is None else {"truth": names[given.truth]}
    found = {"class": names[outputs.argmax(axis=1)], "probability": outputs.max(axis=1)}
    return pd.DataFrame(given.names | truth | found)


def _values(given: PredictionBatch, outputs: np.ndarray, description: InputDescription) -> pd.DataFrame:
    truth = {} if given.truth is None else {"truth": given.truth}
    return pd.DataFrame(given.names | truth | {"prediction": outputs})


def _errors(given: PredictionBatch, outputs: np.ndarray, description: InputDescription) -> pd.DataFrame:
    """How far each reconstruction is from its row, in scaled units."""
    scaled = description.scaler.apply(given.rows)
    errors = metrics.reconstruction_columns(scaled, outputs, np.zeros_like(scaled))
    return pd.DataFrame(given.names | {name: errors[name] for name in ("squared_error", "absolute_error")})


def _boxes(given: PredictionBatch, outputs: np.ndarray, description: InputDescription) -> pd.DataFrame:
    """The certain boxes, in pixels of the images as they were given."""
    found = certain_boxes(outputs, description)
    sizes = np.array([description.shape[:2]] * len(given)) if given.sizes is None else given.sizes
    enlarged = (sizes / description.shape[:2])[found.image][:, [1, 0, 1, 0]]
    names = {column: np.array(values)[found.image] for column, values in given.names.items()}
    classes = {"class": np.array(description.classes)[found.label], "score": found.score}
    return pd.DataFrame(names | classes | dict(zip(SIDES, (found.box * enlarged).T, strict=True)))


_ANSWERS: dict[Task, Callable[[PredictionBatch, np.ndarray, InputDescription], pd.DataFrame]] = {
    "classification": _classes,
    "regression": _values,
    "reconstruction": _errors,
    "detection": _boxes,
}
