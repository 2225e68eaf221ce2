"""Two convolutional networks in both precisions over seeds: time of the fit, and accuracy on the test rows."""

from collections.abc import Collection, Iterator
from typing import Any

from benchmarks.playground import Params, playground
from benchmarks.sizes import Size

ROWS = 8000  # of Fashion-MNIST
PRECISIONS = ("float32", "mixed_bfloat16")
NETWORKS = {"digits_cnn": "digits_cnn", "fashion_8000": "fashion_cnn_2"}  # each with the experiment that it is made of


def measure(size: Size, done: Collection[str]) -> Iterator[tuple[str, Any]]:
    """Of each precision: accuracy with its interval and the seconds of the fit, by network and seed."""
    for precision in PRECISIONS:
        if precision in done:
            continue
        names = [f"{network}_{seed}" for network in NETWORKS for seed in size.seeds]
        with playground(lambda params, precision=precision: _add(params, size, precision)) as place:
            place.fetch(["digits", "fashion_mnist"])
            place.run("modelyard", "run", *names)
            fits = place.fits()
            yield precision, {name: _told(place.figures(name), fits[name]) for name in names}


def _add(params: Params, size: Size, precision: str) -> None:
    params["runtime"]["precision"] = precision
    split = {"test": "given", "first": ROWS, "validation": 0.2}
    params["inputs"]["fashion_8000"] = {"dataset": "fashion_mnist", "split": split, "scaling": "pixels"}
    for network, origin in NETWORKS.items():
        entry = params["experiments"][origin]
        place = entry["input"] if network == origin else network
        epochs = max(1, round(entry["training"]["epochs"] * size.precision_share))
        for seed in size.seeds:
            training = entry["training"] | {"seed": seed, "epochs": epochs}
            params["experiments"][f"{network}_{seed}"] = entry | {"input": place, "training": training}


def _told(figures: dict[str, Any], fit: dict[str, float]) -> dict[str, Any]:
    return {
        "accuracy": figures["metrics"]["accuracy"],
        "interval": figures["intervals"]["accuracy"],
        "fit_seconds": fit["fit_seconds"],
        "epochs": fit["epochs"],
    }
