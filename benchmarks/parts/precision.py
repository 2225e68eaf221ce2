"""Trains two convolutional networks in float32 and bfloat16 over seeds: fit time and test accuracy."""

from collections.abc import Collection, Iterator
from typing import Any

from benchmarks.project_clone import Params, clone_project
from benchmarks.sizes import Size

ROWS = 8000  # of Fashion-MNIST
PRECISIONS = ("float32", "mixed_bfloat16")
NETWORKS = {"digits_cnn": "digits_cnn", "fashion_8000": "fashion_cnn_2"}  # name -> experiment with its settings


def measure(size: Size, done: Collection[str]) -> Iterator[tuple[str, Any]]:
    """For each precision: accuracy, its confidence interval and seconds of the fit, by network and seed."""
    for precision in PRECISIONS:
        if precision in done:
            continue
        names = [f"{network}_{seed}" for network in NETWORKS for seed in size.seeds]
        with clone_project(lambda params, precision=precision: _add(params, size, precision)) as clone:
            clone.fetch(["digits", "fashion_mnist"])
            clone.run("modelyard", "run", *names)
            fits = clone.fits()
            yield precision, {name: _result(clone.metrics(name), fits[name]) for name in names}


def _add(params: Params, size: Size, precision: str) -> None:
    params["runtime"]["precision"] = precision
    split = {"test": "predefined", "first": ROWS, "validation": 0.2}
    params["inputs"]["fashion_8000"] = {"dataset": "fashion_mnist", "split": split, "scaling": "pixels"}
    for network, origin in NETWORKS.items():
        entry = params["experiments"][origin]
        input_name = entry["input"] if network == origin else network
        epochs = max(1, round(entry["training"]["epochs"] * size.precision_share))
        for seed in size.seeds:
            training = entry["training"] | {"seed": seed, "epochs": epochs}
            params["experiments"][f"{network}_{seed}"] = entry | {"input": input_name, "training": training}


def _result(metrics: dict[str, Any], fit: dict[str, float]) -> dict[str, Any]:
    return {
        "accuracy": metrics["metrics"]["accuracy"],
        "interval": metrics["intervals"]["accuracy"],
        "fit_seconds": fit["fit_seconds"],
        "epochs": fit["epochs"],
    }
