"""Predictions for files or test samples, as a table and as a plot."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from modelyard.core.errors import ModelyardError
from modelyard.data.contract import Reference
from modelyard.data.inputs import InputDescription
from modelyard.serving import images, tables, texts
from modelyard.serving.batch import PredictionBatch, kind_of
from modelyard.serving.outside import COLUMN, outside_of_batch

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from modelyard.experiments.tasks import PredictedSamples

AT_ONCE = 100  # images or texts, each in a file


def read(files: Sequence[Path], description: InputDescription) -> Iterator[PredictionBatch]:
    """Read files of the kind that a model takes: images, texts or tables; unreadable ones are left out.

    They are read in several batches, because all together may be larger than memory.
    """
    kind = kind_of(description)
    if kind == "table":
        yield from tables.read(files, description)
        return
    reader = texts if kind == "text" else images
    for start in range(0, len(files), AT_ONCE):
        yield reader.read(files[start : start + AT_ONCE], description)


def take_test_samples(numbers: Sequence[int], folder: Path) -> PredictionBatch:
    """The test samples with these numbers, counted from 0.

    Raises:
        ModelyardError: there is no test sample with one of the numbers.
    """
    from modelyard.experiments import evaluate

    test = evaluate.load_test_samples(folder)
    wrong = [number for number in numbers if not 0 <= number < len(test)]
    if wrong:
        raise ModelyardError(f"no test row {wrong[0]}; they are numbered 0 to {len(test) - 1}")
    samples = test.take(np.array(numbers))
    return PredictionBatch({"test row": list(numbers)}, np.asarray(samples.x), truth=np.asarray(samples.y))


def prediction_table(
    batch: PredictionBatch, outputs: np.ndarray, description: InputDescription, contract: Reference | None = None
) -> "pd.DataFrame":
    """A model's predictions, after the columns that identify the samples: a row for each sample, or for each box.

    With an input contract, a last column names the values of each sample that the training samples did not have.
    """
    import pandas as pd

    from modelyard.experiments.tasks import TASKS

    table = TASKS[description.task].prediction_table(_predicted(batch, outputs, description))
    positions = table.index.to_numpy()
    parts = [pd.DataFrame(batch.names).take(positions), table]
    if contract:
        named = outside_of_batch(contract, batch, description)
        outside = pd.DataFrame({COLUMN: named}, dtype=object)
        parts.append(outside.take(positions))
    return pd.concat([part.reset_index(drop=True) for part in parts], axis=1)


def check_can_plot(description: InputDescription) -> None:
    """Refuse to plot samples that are neither images nor texts.

    Raises:
        ModelyardError: the model takes tables.
    """
    if kind_of(description) == "table":
        raise ModelyardError("--show draws images and texts, and this model takes tables: leave it out")


def plot_predictions(batch: PredictionBatch, outputs: np.ndarray, description: InputDescription) -> "Figure":
    """Up to 16 images, or texts, with a model's predictions for them."""
    from modelyard.experiments.tasks import TASKS

    return TASKS[description.task].plot_predictions(_predicted(batch, outputs, description))


def _predicted(batch: PredictionBatch, outputs: np.ndarray, description: InputDescription) -> "PredictedSamples":
    from modelyard.experiments.tasks import PredictedSamples

    return PredictedSamples(batch.x, outputs, description, batch.truth, batch.image_sizes)
