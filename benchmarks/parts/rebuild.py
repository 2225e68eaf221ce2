"""Rebuilds the notebooks' experiments with the pipeline, from fetched raw files to metrics and plots."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from benchmarks.project_clone import Params, ProjectClone, clone_project, datasets_of
from benchmarks.sizes import Size

LARGE = ("mnist", "fashion_mnist")


def measure(size: Size, done: Collection[str]) -> Iterator[tuple[str, Any]]:
    """Resources, busy cores, seconds of each fit and stage, metrics with their confidence intervals."""
    return _measure(size, done, "float32")


def measure_bfloat16(size: Size, done: Collection[str]) -> Iterator[tuple[str, Any]]:
    """As `measure`, with `runtime.precision: mixed_bfloat16`."""
    return _measure(size, done, "mixed_bfloat16")


def adapted(size: Size, precision: str) -> Callable[[Params], None]:
    """Return the function that changes params.yaml for a size and precision."""

    def change(params: Params) -> None:
        params["runtime"]["precision"] = precision
        for name in size.experiments:
            experiment = params["experiments"][name]
            training, entry = experiment["training"], params["inputs"][experiment["input"]]
            training["epochs"] = max(1, round(training["epochs"] * size.epochs_share))
            if size.rows and entry["dataset"] in LARGE:
                entry["split"]["first"] = size.rows

    return change


@contextmanager
def fetched_clone(size: Size, precision: str = "float32") -> Iterator[ProjectClone]:
    """A clone with the settings of a size and the raw files of its experiments."""
    adapt, needed = adapted(size, precision), set()
    with clone_project(lambda params: (adapt(params), needed.update(datasets_of(params, size.experiments)))) as clone:
        clone.fetch(needed)
        yield clone


def _measure(size: Size, done: Collection[str], precision: str) -> Iterator[tuple[str, Any]]:
    if "all" in done:
        return
    with fetched_clone(size, precision) as clone:
        usage = clone.run("modelyard", "run", *size.experiments)
        yield "all", asdict(usage) | _result(clone, size.experiments)


def _result(clone: ProjectClone, experiments: list[str]) -> dict[str, Any]:
    fits = clone.fits()
    return {
        "experiments": {
            name: clone.metrics(name) | {key: fits[name][key] for key in ("fit_seconds", "fit_cpu_seconds", "epochs")}
            for name in experiments
        },
        "stages": clone.stage_seconds(),
    }
