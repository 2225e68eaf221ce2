"""Trains the same two networks on increasing numbers of MNIST samples."""

from collections.abc import Collection, Iterator
from dataclasses import asdict
from typing import Any

from benchmarks.project_clone import Params, clone_project
from benchmarks.sizes import Size

MODELS = {
    "mlp": {"family": "mlp", "units": [20, 20], "activation": "relu"},
    "cnn": {"family": "cnn", "filters": [16, 32], "padding": "same", "pooling": "each", "units": [64]},
}


def measure(size: Size, done: Collection[str]) -> Iterator[tuple[str, Any]]:
    """For each network and number of samples: resources of a separate run, seconds and epochs of its fit."""
    remaining = [name for name in _entries(size) if name not in done]
    if not remaining:
        return
    with clone_project(lambda params: _add(params, size)) as clone:
        clone.fetch(["mnist"])
        clone.create_tracking_database()
        for name in remaining:
            usage = clone.run("modelyard", "run", name)
            fit = clone.fits()[name]
            yield name, asdict(usage) | {key: fit[key] for key in ("fit_seconds", "epochs")}


def _entries(size: Size) -> dict[str, tuple[str, int]]:
    return {f"{model}_{rows}": (model, rows) for model in MODELS for rows in size.growth}


def _add(params: Params, size: Size) -> None:
    training = params["experiments"]["fashion_cnn_2"]["training"] | {"epochs": size.growth_epochs}
    for rows in size.growth:
        split = {"test": "predefined", "first": rows, "validation": 0.2}
        params["inputs"][f"mnist_{rows}"] = {"dataset": "mnist", "split": split, "scaling": "pixels"}
    for name, (model, rows) in _entries(size).items():
        params["experiments"][name] = {"input": f"mnist_{rows}", "model": MODELS[model], "training": training}
