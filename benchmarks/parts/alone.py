"""Trains one experiment alone, as its notebook and with the pipeline in turns, both on all cores."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

from benchmarks.parts.notebooks import run_script
from benchmarks.parts.rebuild import fetched_clone
from benchmarks.sizes import NOTEBOOKS, Size
from modelyard.core.processes import usable_cores

ONE_CORE = ("taskset", "--cpu-list", str(usable_cores()[0]))


def measure(size: Size, done: Collection[str]) -> Iterator[tuple[str, Any]]:
    """For each experiment: seconds of each epoch by round, and whether all runs of the pipeline gave equal files."""
    for notebook in size.alone:
        (experiment,) = NOTEBOOKS[notebook]
        if experiment not in done:
            few = replace(size, notebooks=(notebook,), rows=size.alone_rows, epochs_share=size.alone_share)
            yield experiment, _in_turns(notebook, experiment, few)


def _in_turns(notebook: str, experiment: str, size: Size) -> dict[str, Any]:
    theirs, ours, locks = [], [], []
    for _ in range(size.alone_rounds):
        with fetched_clone(size) as clone:  # a new one: DVC would restore the results of an earlier run
            _, lines = run_script(notebook, clone.raw, size)
            theirs += [line["epoch_seconds"] for line in lines if "epoch_seconds" in line]
            clone.run("modelyard", "run", experiment)
            ours.append(clone.fits()[experiment]["epoch_seconds"])
            locks.append(clone.lock())
    with fetched_clone(size) as clone:
        clone.run(*ONE_CORE, "modelyard", "run", experiment)
        on_one_core = clone.lock()
    return {
        "notebook": theirs,
        "modelyard run": ours,
        "locks_are_equal": all(lock == locks[0] for lock in locks),
        "lock_is_equal_on_one_core": on_one_core == locks[0],
    }
