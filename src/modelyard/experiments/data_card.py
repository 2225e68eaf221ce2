"""The data card of an input: statistics of its samples that make a mistake in the data visible."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from modelyard.data.columns import Column
from modelyard.data.inputs import InputDescription, TrainingInput
from modelyard.data.samples import Samples
from modelyard.experiments.tasks import TASKS

LISTED = 20  # constant features, classes and files named at most
SHARED = "distinct_rows_in_both_training_and_test"
LEAKS = {"group": "groups_in_both_training_and_test", "time": "test_rows_earlier_than_a_training_row"}
"""By what the samples are split, the key of what should be 0; a card has it only where it is not."""


def describe(training: TrainingInput, test: Samples, leaks: int = 0, left_out: Sequence[str] = ()) -> dict[str, Any]:
    """The card as JSON values: sizes, types, ranges, targets, missing values, constant features, shared samples.

    Args:
        training: the training and validation samples.
        test: the test samples.
        leaks: what `splits.count_leaks` returns.
        left_out: files that cannot be read, each with the reason.
    """
    description = training.description
    parts = {"training": training.training, "validation": training.validation, "test": test}
    constant = _constant_features(training.training.x, description)
    return {
        "dataset": description.dataset,
        "task": description.task,
        "scaling": description.scaling,
        "shape_of_a_row": list(description.shape),
        "parts": {name: _part(samples, description) for name, samples in parts.items() if len(samples)},
        "constant_features": {"count": len(constant), "names": constant[:LISTED]},
        SHARED: len(_distinct(training.samples.x) & _distinct(test.x)),
        **({LEAKS[description.split_by or "group"]: leaks} if leaks else {}),
        **({"left_out": {"count": len(left_out), "files": list(left_out[:LISTED])}} if left_out else {}),
        **({"columns": {each.name: _column(each) for each in description.columns}} if description.columns else {}),
    }


def warnings(card: dict[str, Any]) -> list[str]:
    """What in a card makes test results doubtful, one sentence each."""
    messages = {
        SHARED: "{} distinct sample(s) are in both the training and the test data, so their test results say little "
        "about new samples",
        LEAKS[
            "group"
        ]: "{} group(s) are in both the training and the test data: a leak, unless new samples are of known groups too",
        LEAKS["time"]: "{} test sample(s) are earlier than the last training sample: a leak, for no model knows the "
        "future",
    }
    counted = [message.format(card[key]) for key, message in messages.items() if card.get(key)]
    if left_out := card.get("left_out"):
        more = "; ..." if left_out["count"] > LISTED else ""
        counted.append(f"{left_out['count']} file(s) were left out: {'; '.join(left_out['files'])}{more}")
    return [*counted, *_lonely_classes(card["parts"]), *_missing_in_validation(card["parts"])]


def _lonely_classes(parts: dict[str, dict[str, Any]]) -> Iterator[str]:
    """A sentence for each part that has classes which no other part has."""
    counts = {name: part["rows_per_class"] for name, part in parts.items() if "rows_per_class" in part}
    for name, classes in counts.items():
        others = [part for other, part in counts.items() if other != name]
        lonely = [label for label, rows in classes.items() if rows and not any(part[label] for part in others)]
        if others and lonely:
            effect = "so no test sample measures them" if name == "training" else "so no model learns them"
            yield f"only the {name} samples have class(es) {_listed(lonely)}, {effect}"


def _missing_in_validation(parts: dict[str, dict[str, Any]]) -> Iterator[str]:
    """A sentence on classes of the training samples that no validation sample has, as after a split of sorted ones."""
    training, validation = (parts.get(name, {}).get("rows_per_class", {}) for name in ("training", "validation"))
    missing = [label for label, rows in training.items() if rows and validation and not validation[label]]
    if missing:
        yield (
            f"no validation sample has class(es) {_listed(missing)}, so early stopping and tuning do not see them: "
            "draw them with `stratify: true` or `validation_samples: shuffled`, or add samples of these classes"
        )


def _listed(classes: Sequence[str]) -> str:
    more = f" and {len(classes) - LISTED} more" if len(classes) > LISTED else ""
    return f"{', '.join(map(repr, classes[:LISTED]))}{more}"


def _part(samples: Samples, description: InputDescription) -> dict[str, Any]:
    return {
        "rows": len(samples),
        "dtype": str(samples.x.dtype),
        "smallest": float(np.nanmin(samples.x)),
        "largest": float(np.nanmax(samples.x)),
        "missing_values": _missing(samples.x) + _missing(samples.y),
        **TASKS[description.task].summarize_targets(samples, description),
    }


def _column(column: Column) -> str:
    """What a column holds, in words; not which categories, because rare ones may be what people wrote."""
    if column.kind == "category":
        return f"category ({len(column.categories)} values)"
    return f"date ({', '.join(column.parts)})" if column.kind == "date" else column.kind


def _missing(values: np.ndarray) -> int:
    return int(np.isnan(values).sum()) if values.dtype.kind == "f" else 0


def _constant_features(x: np.ndarray, description: InputDescription) -> list[str]:
    where = np.flatnonzero((x.max(axis=0) == x.min(axis=0)).ravel())
    if description.features:
        return [description.features[index] for index in where]
    return [str(tuple(map(int, np.unravel_index(index, description.shape)))) for index in where]


def _distinct(x: np.ndarray) -> set[bytes]:
    """A checksum of each distinct sample: the samples themselves may be too large for memory."""
    return {hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in x}
