"""Predictions in columns, which need no pandas, are those of the table."""

import numpy as np
import pytest
from support.inputs import describe

from modelyard.data.decision_threshold import DecisionThreshold
from modelyard.data.inputs import InputDescription
from modelyard.data.samples import Samples
from modelyard.experiments.tasks import TASKS
from modelyard.serving.batch import PredictionBatch
from modelyard.serving.predict import prediction_table
from modelyard.serving.predictions import _BY_TASK, prediction_columns

RANDOM = np.random.default_rng(0)
IMAGES = Samples(RANDOM.integers(0, 255, (6, 16, 16, 1)).astype(np.uint8), np.arange(6) % 2)
OUTPUTS = {
    "classification": np.float32([[0.3, 0.7], [0.9, 0.1], [0.5, 0.5], [0.6, 0.4], [0.1, 0.9], [0.45, 0.55]]),
    "regression": RANDOM.normal(size=6),
    "reconstruction": RANDOM.normal(size=(6, 16, 16, 1)).astype(np.float32),
    "detection": RANDOM.uniform(0.3, 1, size=(6, 2, 2, 7)).astype(np.float32),
}
THRESHOLD = DecisionThreshold(value=0.6, goal="f1", validation_samples=9, validation=0.9, validation_at_half=0.8)


def description_of(task: str) -> InputDescription:
    return describe(IMAGES, 0, ("a", "b"), task=task, threshold=THRESHOLD if task == "classification" else None)


@pytest.mark.parametrize("task", OUTPUTS)
@pytest.mark.parametrize("is_known", [True, False], ids=["with the truth", "without"])
def test_columns_equal_the_table(task: str, is_known: bool):
    truth = OUTPUTS["regression"] if task == "regression" else IMAGES.y
    sizes = None if is_known else np.array([[16, 32]] * 6)
    names = {"file": [f"{number}.png" for number in range(6)]}
    batch = PredictionBatch(names, IMAGES.x, truth=truth if is_known else None, image_sizes=sizes)
    columns = prediction_columns(batch, OUTPUTS[task], description_of(task))
    table = prediction_table(batch, OUTPUTS[task], description_of(task))
    assert len(table) >= 6
    assert list(columns) == list(table)
    for name, values in columns.items():
        np.testing.assert_array_equal(values, table[name].to_numpy())


def test_every_task_has_its_columns():
    assert _BY_TASK.keys() == TASKS.keys()
