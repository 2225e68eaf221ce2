"""The same two networks on more and more rows of MNIST."""

from collections.abc import Collection, Iterator
from dataclasses import asdict
from typing import Any

from benchmarks.playground import Params, playground
from benchmarks.sizes import Size

MODELS = {
    "mlp": {"family": "mlp", "units": [20, 20], "activation": "relu"},
    "cnn": {"family": "cnn", "filters": [16, 32], "padding": "same", "pooling": "each", "units": [64]},
}


def measure(size: Size, done: Collection[str]) -> Iterator[tuple[str, Any]]:
    """Of each network and number of rows: usage of a run of its own, seconds and epochs of its fit."""
    waiting = [name for name in _entries(size) if name not in done]
    if not waiting:
        return
    with playground(lambda params: _add(params, size)) as place:
        place.fetch(["mnist"])
        place.begin_diary()
        for name in waiting:
            usage = place.run("modelyard", "run", name)
            yield name, asdict(usage) | place.fits()[name]


def _entries(size: Size) -> dict[str, tuple[str, int]]:
    return {f"{model}_{rows}": (model, rows) for model in MODELS for rows in size.growth}


def _add(params: Params, size: Size) -> None:
    training = params["experiments"]["fashion_cnn_2"]["training"] | {"epochs": size.growth_epochs}
    for rows in size.growth:
        split = {"test": "given", "first": rows, "validation": 0.2}
        params["inputs"][f"mnist_{rows}"] = {"dataset": "mnist", "split": split, "scaling": "pixels"}
    for name, (model, rows) in _entries(size).items():
        params["experiments"][name] = {"input": f"mnist_{rows}", "model": MODELS[model], "training": training}
