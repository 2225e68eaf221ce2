"""Builds the same experiments from scratch with one job and with two."""

from collections.abc import Collection, Iterator
from dataclasses import asdict
from typing import Any

from benchmarks.project_clone import clone_project, datasets_of
from benchmarks.sizes import Size


def measure(size: Size, done: Collection[str]) -> Iterator[tuple[str, Any]]:
    """For each round: resources of both rebuilds, and whether both wrote the same dvc.lock."""
    for number in range(1, size.pairs + 1):
        if f"round {number}" not in done:
            one, lock_of_one = _rebuild(size, 1)
            two, lock_of_two = _rebuild(size, 2)
            yield f"round {number}", {"-j 1": one, "-j 2": two, "locks_are_equal": lock_of_one == lock_of_two}


def _rebuild(size: Size, jobs: int) -> tuple[dict[str, float], Any]:
    needed: set[str] = set()
    with clone_project(lambda params: needed.update(datasets_of(params, size.parallel))) as clone:
        clone.fetch(needed)
        clone.create_tracking_database()
        usage = clone.run("modelyard", "run", "-j", str(jobs), *size.parallel)
        return asdict(usage), clone.lock()
