"""Every plot: equal bytes each time, and no warning without data."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from modelyard.experiments import plots
from modelyard.models.engine.base import Layer

CLASSES = ("shirt", "boot", "$^$ bag")  # a formula that matplotlib could not draw
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, size=(20, 6, 6, 1), dtype=np.uint8)
COLOURED = RANDOM.integers(0, 256, size=(20, 6, 6, 3), dtype=np.uint8)
HISTORY = pd.DataFrame({"epoch": [1, 2], "loss": [3.0, 2.0], "mae": [1.5, 1.2], "val_loss": [3, 2], "val_mae": [2, 1]})
CURVE = (np.array([0.5, 1.0]), np.array([1.0, 0.5]), 0.75)
BOXES = np.array([[[1, 0, 1, 4, 5], [-1, 0, 0, 0, 0]]] * 20, dtype=np.float32)
FOUND = [np.array([[1, 0, 1, 4, 4, 0.9], [2, 4, 4, 6, 6, 0.1]])] * 20
OCCLUDED = plots.Occlusion(COLOURED[0], 0, 1, np.linspace(-1, 2, 36).reshape(6, 6))
PLOTS = {
    "confusion": lambda: plots.confusion(np.array([0, 1, 2]), np.array([0, 2, 2]), CLASSES),
    "confusion of many": lambda: plots.confusion(np.arange(46), np.arange(46), tuple(map(str, range(46)))),
    "detections": lambda: plots.detections(IMAGES, BOXES, FOUND, CLASSES),
    "feature_maps": lambda: plots.feature_maps(COLOURED[0], np.linspace(0, 1, 4 * 4 * 9).reshape(4, 4, 9)),
    "filters": lambda: plots.filters(np.linspace(-1, 1, 3 * 3 * 3 * 4).reshape(3, 3, 3, 4)),
    "image_grid": lambda: plots.image_grid(IMAGES, 4),
    "layer_diagram": lambda: plots.layer_diagram([Layer("dense", "Dense", (10,), 100)] * 3),
    "learning_curve": lambda: plots.learning_curve(HISTORY, "mae"),
    "occlusions": lambda: plots.occlusions([[OCCLUDED, None], [OCCLUDED, OCCLUDED]], CLASSES, 255),
    "precision_recall": lambda: plots.precision_recall({CLASSES[2]: CURVE}),
    "predicted_against_true": lambda: plots.predicted_against_true(np.array([1.0, 2.0]), np.array([1.5, 1.9])),
    "prediction_grid": lambda: plots.prediction_grid(IMAGES, np.arange(20) % 3, np.arange(20) % 2, CLASSES),
    "readings": lambda: plots.readings([plots.Reading(("net", "$_$"), CLASSES[2], "acq")]),
    "reconstructions": lambda: plots.reconstructions(COLOURED, COLOURED),
}


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_saved_twice_has_the_same_bytes_without_the_librarys_version(name: str, tmp_path: Path) -> None:
    for place in ("one.png", "other.png"):
        plots.save(PLOTS[name](), tmp_path / place)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "other.png").read_bytes()
    assert b"Software" not in (tmp_path / "one.png").read_bytes()


NOTHING = np.zeros((3, 6, 6, 1))
EMPTY = {
    "a layer that died": lambda: plots.feature_maps(NOTHING[0], np.zeros((4, 4, 8))),
    "kernels of zeros": lambda: plots.filters(np.zeros((3, 3, 1, 8))),
    "black images": lambda: plots.image_grid(NOTHING, 2),
    "black reconstructions": lambda: plots.reconstructions(NOTHING, NOTHING),
    "no mistaken image": lambda: plots.prediction_grid(NOTHING[:0], np.zeros(0, int), np.zeros(0, int), CLASSES),
    "no evidence": lambda: plots.occlusions([[OCCLUDED._replace(evidence=np.zeros((6, 6)))]], CLASSES, 255),
    "no image to cover": lambda: plots.occlusions([[None], [None]], CLASSES, 255),
    "no box": lambda: plots.detections(NOTHING, BOXES[:3, 1:], [np.zeros((0, 6))] * 3, CLASSES),
    "no text": lambda: plots.readings([]),
}


@pytest.mark.parametrize("name", EMPTY)
def test_a_plot_without_data_is_drawn_without_a_warning(name: str, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plots.save(EMPTY[name](), tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 0
