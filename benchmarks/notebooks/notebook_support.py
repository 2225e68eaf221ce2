"""Data sets as keras.datasets returns them, number of epochs, and logging of metrics for the notebook scripts."""

import os
import sys
from pathlib import Path

import fit_timer
import numpy as np

RAW = Path(sys.argv[1])  # raw files, one folder per data set
SHARE = float(os.environ.get("BENCHMARK_EPOCHS_SHARE", "1"))
ROWS = int(os.environ.get("BENCHMARK_ROWS", "0")) or None
PARTS = ("images-idx3", "labels-idx1")

Arrays = tuple[np.ndarray, np.ndarray]


def epochs(published: int) -> int:
    """The notebook's number of epochs times BENCHMARK_EPOCHS_SHARE, at least 1."""
    return max(1, round(published * SHARE))


def log_metric(experiment: str, metric: str, value: float) -> None:
    """Log a metric on the test samples."""
    fit_timer.append_json_line(experiment=experiment, metric=metric, value=float(value))


def mnist() -> tuple[Arrays, Arrays]:
    """As keras.datasets.mnist.load_data(): uint8 images (n, 28, 28) and labels (n,), for training and test."""
    return _images(RAW / "mnist")


def fashion_mnist() -> tuple[Arrays, Arrays]:
    """As keras.datasets.fashion_mnist.load_data()."""
    return _images(RAW / "fashion_mnist")


def boston_housing() -> tuple[Arrays, Arrays]:
    """As keras.datasets.boston_housing.load_data(test_split=0.2, seed=777)."""
    table = np.loadtxt(RAW / "boston" / "boston_housing.csv", delimiter=",")
    return shuffle_split(table[:, :-1], table[:, -1])


def shuffle_split(x: np.ndarray, y: np.ndarray) -> tuple[Arrays, Arrays]:
    """Shuffle with seed 777 and split 80:20 into training and test samples, as Keras does for Boston housing."""
    order = np.arange(len(x))
    np.random.RandomState(777).shuffle(order)
    cut = int(len(x) * (1 - 0.2))
    return (x[order[:cut]], y[order[:cut]]), (x[order[cut:]], y[order[cut:]])


def _images(folder: Path) -> tuple[Arrays, Arrays]:
    (x_train, y_train), test = _part(folder, "train"), _part(folder, "t10k")
    return (x_train[:ROWS], y_train[:ROWS]), test


def _part(folder: Path, part: str) -> Arrays:
    images, labels = ((folder / f"{part}-{name}-ubyte").read_bytes() for name in PARTS)
    return np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28), np.frombuffer(labels, np.uint8, offset=8)
