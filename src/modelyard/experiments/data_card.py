"""The data card of an input: what its rows look like, told so that a wrong one is noticed."""

from typing import Any

import numpy as np

from modelyard.data.inputs import InputDescription, TrainingInput
from modelyard.data.samples import Samples

LISTED = 20  # constant columns named at the most


def describe(training: TrainingInput, test: Samples) -> dict[str, Any]:
    """The card as plain JSON values: rows, types, ranges, balance, missing values, constant columns, shared rows."""
    description = training.description
    parts = {"training": training.training, "validation": training.validation, "test": test}
    constant = _constant_features(training.training.x, description)
    shared = len(_distinct(training.rows.x) & _distinct(test.x))
    return {
        "dataset": description.dataset,
        "task": description.task,
        "scaling": description.scaling,
        "shape_of_a_row": list(description.shape),
        "parts": {name: _part(rows, description) for name, rows in parts.items() if len(rows)},
        "constant_features": {"count": len(constant), "names": constant[:LISTED]},
        "distinct_rows_in_both_training_and_test": shared,
    }


def _part(rows: Samples, description: InputDescription) -> dict[str, Any]:
    card = {
        "rows": len(rows),
        "dtype": str(rows.x.dtype),
        "smallest": float(np.nanmin(rows.x)),
        "largest": float(np.nanmax(rows.x)),
        "missing_values": _missing(rows.x) + _missing(rows.y),
    }
    if description.task == "detection":
        classes = rows.y[..., 0]
        per_row = np.sum(classes >= 0, axis=1).tolist()
        counts = [int(np.sum(classes == number)) for number in range(len(description.classes))]
        return card | {
            "boxes_per_row": {"fewest": min(per_row), "most": max(per_row)},
            "boxes_per_class": dict(zip(description.classes, counts, strict=True)),
        }
    if description.classes:
        counts = np.bincount(rows.y, minlength=len(description.classes)).tolist()
        return card | {"rows_per_class": dict(zip(description.classes, counts, strict=True))}
    return card | {
        "target": {
            "smallest": float(np.nanmin(rows.y)),
            "mean": float(np.nanmean(rows.y)),
            "largest": float(np.nanmax(rows.y)),
        }
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
