"""Predictions as a person reads them, without pandas, whose import takes longer than most predictions."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from modelyard.data.contract import Reference
from modelyard.data.decision_threshold import predicted_classes
from modelyard.data.inputs import InputDescription
from modelyard.data.samples import Task
from modelyard.serving.batch import PredictionBatch
from modelyard.serving.outside import COLUMN, outside_of_batch

SIDES = ("left", "top", "right", "bottom")


class PredictionColumns(NamedTuple):
    """Predictions in rows, one for each sample or for each box.

    Attributes:
        columns: the values of each column, by its name.
        positions: the sample of each row, from 0.
    """

    columns: dict[str, np.ndarray]
    positions: np.ndarray


def prediction_columns(
    batch: PredictionBatch, outputs: np.ndarray, description: InputDescription, contract: Reference | None = None
) -> dict[str, np.ndarray]:
    """The columns of `predict.prediction_table`."""
    columns, positions = _BY_TASK[description.task](batch, outputs, description)
    names = {name: np.array(values, dtype=object)[positions] for name, values in batch.names.items()}
    if contract is None:
        return names | columns
    outside = np.array(outside_of_batch(contract, batch, description), dtype=object)
    return names | columns | {COLUMN: outside[positions]}


def _classes(batch: PredictionBatch, outputs: np.ndarray, description: InputDescription) -> PredictionColumns:
    """The predicted class and its probability."""
    names, every = np.array(description.classes), np.arange(len(batch))
    truth = {} if batch.truth is None else {"truth": names[batch.truth]}
    chosen = predicted_classes(outputs, description.threshold)
    return PredictionColumns(truth | {"class": names[chosen], "probability": outputs[every, chosen]}, every)


def _values(batch: PredictionBatch, outputs: np.ndarray, _: InputDescription) -> PredictionColumns:
    truth = {} if batch.truth is None else {"truth": batch.truth}
    return PredictionColumns(truth | {"prediction": outputs}, np.arange(len(batch)))


def _errors(batch: PredictionBatch, outputs: np.ndarray, description: InputDescription) -> PredictionColumns:
    """The errors of a reconstruction, in scaled units."""
    from modelyard import metrics

    scaled = description.scaler.transform(batch.x)
    errors = metrics.reconstruction_columns(scaled, outputs, np.zeros_like(scaled))
    shown = {name: errors[name] for name in ("squared_error", "absolute_error")}
    return PredictionColumns(shown, np.arange(len(batch)))


def _boxes(batch: PredictionBatch, outputs: np.ndarray, description: InputDescription) -> PredictionColumns:
    """The certain boxes, in pixels of the images before they were resized."""
    from modelyard.metrics.detection import CERTAIN
    from modelyard.models.engine import box_coding

    found = box_coding.decode(outputs, description.shape)
    found = found.take(np.flatnonzero(found.score >= CERTAIN))
    size = description.shape[:2]
    sizes = np.array([size] * len(batch)) if batch.image_sizes is None else batch.image_sizes
    enlarged = found.box * (sizes / size)[found.image][:, [1, 0, 1, 0]]
    labels = {"class": np.array(description.classes)[found.label], "score": found.score}
    return PredictionColumns(labels | dict(zip(SIDES, enlarged.T, strict=True)), found.image)


_BY_TASK: dict[Task, Callable[[PredictionBatch, np.ndarray, InputDescription], PredictionColumns]] = {
    "classification": _classes,
    "regression": _values,
    "reconstruction": _errors,
    "detection": _boxes,
}
