"""The same experiments built one stage at a time and two at a time, each from nothing."""

from collections.abc import Collection, Iterator
from dataclasses import asdict
from typing import Any

from benchmarks.playground import datasets_of, playground
from benchmarks.sizes import Size


def measure(size: Size, done: Collection[str]) -> Iterator[tuple[str, Any]]:
    """Of each rebuild the usage, and whether DVC locked the same as in the first of the same round."""
    for number in range(1, size.pairs + 1):
        if f"round {number}" not in done:
            one, lock_of_one = _rebuild(size, 1)
            two, lock_of_two = _rebuild(size, 2)
            yield f"round {number}", {"-j 1": one, "-j 2": two, "locks_are_equal": lock_of_one == lock_of_two}


def _rebuild(size: Size, jobs: int) -> tuple[dict[str, float], Any]:
    needed: set[str] = set()
    with playground(lambda params: needed.update(datasets_of(params, size.parallel))) as place:
        place.fetch(needed)
        place.begin_diary()
        usage = place.run("modelyard", "run", "-j", str(jobs), *size.parallel)
        return asdict(usage), place.lock()
