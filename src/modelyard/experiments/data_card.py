"""The data card of an input: statistics of its samples that make a mistake in the data visible."""

from typing import Any

import numpy as np

from modelyard.data.inputs import InputDescription, TrainingInput
from modelyard.data.samples import Samples
from modelyard.experiments.tasks import TASKS

LISTED = 20  # constant features named at most


def describe(training: TrainingInput, test: Samples) -> dict[str, Any]:
    """The card as JSON values: sizes, types, ranges, targets, missing values, constant features, shared samples."""
    description = training.description
    parts = {"training": training.training, "validation": training.validation, "test": test}
    constant = _constant_features(training.training.x, description)
    shared = len(_distinct(training.samples.x) & _distinct(test.x))
    return {
        "dataset": description.dataset,
        "task": description.task,
        "scaling": description.scaling,
        "shape_of_a_row": list(description.shape),
        "parts": {name: _part(samples, description) for name, samples in parts.items() if len(samples)},
        "constant_features": {"count": len(constant), "names": constant[:LISTED]},
        "distinct_rows_in_both_training_and_test": shared,
    }


def _part(samples: Samples, description: InputDescription) -> dict[str, Any]:
    return {
        "rows": len(samples),
        "dtype": str(samples.x.dtype),
        "smallest": float(np.nanmin(samples.x)),
        "largest": float(np.nanmax(samples.x)),
        "missing_values": _missing(samples.x) + _missing(samples.y),
        **TASKS[description.task].summarize_targets(samples, description),
    }


def _missing(values: np.ndarray) -> int:
    return int(np.isnan(values).sum()) if values.dtype.kind == "f" else 0


def _constant_features(x: np.ndarray, description: InputDescription) -> list[str]:
    where = np.flatnonzero((x.max(axis=0) == x.min(axis=0)).ravel())
    if description.features:
        return [description.features[index] for index in where]
    return [str(tuple(map(int, np.unravel_index(index, description.shape)))) for index in where]


def _distinct(x: np.ndarray) -> set[bytes]:
    return {row.tobytes() for row in x}
