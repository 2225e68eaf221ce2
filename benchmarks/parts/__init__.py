"""What is measured, a module for each part.

Each has `measure(size, done)`, which yields a key and what was found for each thing that it measures, those excepted
whose keys are done.
"""

from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple

from benchmarks.parts import growth, jobs, notebooks, nothing, precision, rebuild, steps
from benchmarks.sizes import Size


class Part(NamedTuple):
    """A part of the benchmarks: what it asks, and how it is answered."""

    asks: str
    measure: Callable[[Size, Collection[str]], Iterator[tuple[str, Any]]]


PARTS = {
    "notebooks": Part("what the notebooks cost as plain Keras scripts", notebooks.measure),
    "rebuild": Part("what the pipeline's rebuild of the same costs", rebuild.measure),
    "rebuild_bfloat16": Part("the same in bfloat16", rebuild.measure_bfloat16),
    "nothing": Part("what finding nothing to do costs", nothing.measure),
    "jobs": Part("what a second stage at once is worth", jobs.measure),
    "growth": Part("how cost grows with rows", growth.measure),
    "precision": Part("whether bfloat16 is as accurate, over seeds", precision.measure),
    "steps": Part("where a training step's time goes, on one core", steps.measure),
}
