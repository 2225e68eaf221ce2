"""The pipeline's rebuild of the notebooks' experiments, from fetched raw files to figures."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict
from typing import Any

from benchmarks.playground import Params, Playground, datasets_of, playground
from benchmarks.sizes import Size

LARGE = ("mnist", "fashion_mnist")


def measure(size: Size, done: Collection[str]) -> Iterator[tuple[str, Any]]:
    """Usage, seconds of each fit and of each stage, figures with their intervals."""
    return _measure(size, done, "float32")


def measure_bfloat16(size: Size, done: Collection[str]) -> Iterator[tuple[str, Any]]:
    """The same with `runtime.precision: mixed_bfloat16`."""
    return _measure(size, done, "mixed_bfloat16")


def adapted(size: Size, precision: str) -> Callable[[Params], None]:
    """The change of params that makes a rebuild of that size and precision."""

    def change(params: Params) -> None:
        params["runtime"]["precision"] = precision
        for name in size.experiments:
            experiment = params["experiments"][name]
            training, entry = experiment["training"], params["inputs"][experiment["input"]]
            training["epochs"] = max(1, round(training["epochs"] * size.epochs_share))
            if size.rows and entry["dataset"] in LARGE:
                entry["split"]["first"] = size.rows

    return change


def _measure(size: Size, done: Collection[str], precision: str) -> Iterator[tuple[str, Any]]:
    if "all" in done:
        return
    adapt, needed = adapted(size, precision), set()
    with playground(lambda params: (adapt(params), needed.update(datasets_of(params, size.experiments)))) as place:
        place.fetch(needed)
        usage = place.run("modelyard", "run", *size.experiments)
        yield "all", asdict(usage) | _told(place, size.experiments)


def _told(place: Playground, experiments: list[str]) -> dict[str, Any]:
    fits = place.fits()
    return {
        "experiments": {
            name: place.figures(name) | {key: fits[name][key] for key in ("fit_seconds", "epochs")}
            for name in experiments
        },
        "stages": place.stage_seconds(),
    }
