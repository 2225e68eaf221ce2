"""The parts of the benchmarks, one module each.

Each has `measure(size, done)`, which yields pairs of key and result, and skips the keys in `done`.
"""

from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple

from benchmarks.parts import (
    alone,
    growth,
    images,
    jobs,
    notebooks,
    nothing,
    precision,
    rebuild,
    steps,
    table_rows,
    tables,
)
from benchmarks.sizes import Size


class Part(NamedTuple):
    """A part of the benchmarks: its question, and the function that measures it."""

    question: str
    measure: Callable[[Size, Collection[str]], Iterator[tuple[str, Any]]]


PARTS = {
    "notebooks": Part("cost of the notebooks as plain Keras scripts", notebooks.measure),
    "rebuild": Part("cost of rebuilding the same experiments with the pipeline", rebuild.measure),
    "rebuild_bfloat16": Part("the same in bfloat16", rebuild.measure_bfloat16),
    "alone": Part("one experiment alone, as a notebook and with the pipeline", alone.measure),
    "nothing": Part("cost of a run when everything is up to date", nothing.measure),
    "jobs": Part("one job compared with two", jobs.measure),
    "growth": Part("cost against the number of training samples", growth.measure),
    "precision": Part("accuracy in bfloat16 and float32 over seeds", precision.measure),
    "tables": Part("people's own tables, beside a plain scikit-learn pipeline", tables.measure),
    "table_rows": Part("cost against the number of rows of a table", table_rows.measure),
    "images": Part("cost against the number of a person's own images", images.measure),
    "steps": Part("time of the layers and of whole training steps, on one core", steps.measure),
}
