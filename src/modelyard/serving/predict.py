"""A model in use: what a person has, brought to the rows that a model takes, and its answers in a person's words."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from modelyard.core.errors import ModelyardError
from modelyard.data.inputs import InputDescription
from modelyard.experiments import evaluate
from modelyard.models import Model
from modelyard.serving import images, tables, texts
from modelyard.serving.batch import PredictionBatch
from modelyard.serving.plots import draw, refuse_undrawable
from modelyard.serving.predictions import answers

__all__ = ["PredictionBatch", "answers", "draw", "read", "refuse_undrawable", "test_rows"]


def read(files: Sequence[Path], description: InputDescription) -> PredictionBatch:
    """The rows of files of the kind that a model takes: images, texts, or CSV tables; what is broken is left out."""
    if description.words:
        return texts.read(files, description)
    return (images if len(description.shape) == 3 else tables).read(files, description)


def test_rows(numbers: Sequence[int], model: Model, folder: Path) -> tuple[PredictionBatch, np.ndarray]:
    """Test rows by their number from 0, and what the model says of them.

    Raises:
        ModelyardError: there are not so many.
    """
    test = evaluate.rows_of(folder)
    wrong = [number for number in numbers if not 0 <= number < len(test)]
    if wrong:
        raise ModelyardError(f"no test row {wrong[0]}; they are numbered 0 to {len(test) - 1}")
    rows = test.take(np.array(numbers))
    given = PredictionBatch({"test row": list(numbers)}, np.asarray(rows.x), truth=np.asarray(rows.y))
    return given, model.predict(given.rows)
