"""Pictures: titles, colours, axes, and equal bytes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from modelyard import figures

CLASSES = ("shirt", "boot", "bag")
IMAGES = np.random.default_rng(0).integers(0, 256, size=(20, 6, 6, 1), dtype=np.uint8)
HISTORY = pd.DataFrame({"epoch": [1, 2, 3], "loss": [3.0, 2.0, 1.0], "mae": [1.5, 1.2, 0.9]})


def with_validation(history: pd.DataFrame) -> pd.DataFrame:
    return history.assign(val_loss=history.loss + 0.5, val_mae=history.mae + 0.5)


def test_a_right_image_is_titled_in_black_and_a_wrong_one_in_red_with_the_truth_first() -> None:
    truth, prediction = np.array([0, 1, 2]), np.array([0, 2, 2])
    grid = figures.prediction_grid(IMAGES[:3], truth, prediction, CLASSES)
    titles = [(axes.get_title(), to_hex(axes.title.get_color())) for axes in grid.axes if axes.images]
    assert titles == [("shirt", "#000000"), ("boot/bag", "#c00000"), ("bag", "#000000")]


def test_a_grid_shows_no_more_than_sixteen_images() -> None:
    grid = figures.prediction_grid(IMAGES, np.zeros(20, int), np.zeros(20, int), CLASSES)
    shown = [axes.images[0].get_array() for axes in grid.axes]
    np.testing.assert_array_equal(shown, IMAGES[:16].squeeze())


@pytest.mark.parametrize("history, sides", [(HISTORY, ["train"]), (with_validation(HISTORY), ["train", "validation"])])
def test_the_learning_curve_has_loss_on_the_left_and_the_metric_on_the_right(
    history: pd.DataFrame, sides: list[str]
) -> None:
    curve = figures.learning_curve(history, "regression")
    left, right = curve.axes
    assert (left.get_xlabel(), left.get_ylabel(), right.get_ylabel()) == ("epoch", "loss", "mae")
    assert left.yaxis.get_ticks_position() == "left"
    assert right.yaxis.get_ticks_position() == "right"
    assert left.get_shared_x_axes().joined(left, right)
    assert [line.get_label() for line in left.lines] == [f"{side} loss" for side in sides]
    assert [line.get_label() for line in right.lines] == [f"{side} mae" for side in sides]
    np.testing.assert_array_equal(left.lines[0].get_xydata(), history[["epoch", "loss"]])
    colours = [line.get_color() for line in (*left.lines, *right.lines)]
    assert len(set(colours)) == len(colours)


def test_a_loss_that_falls_far_is_drawn_on_a_logarithmic_axis() -> None:
    far = HISTORY.assign(loss=[1000.0, 10.0, 1.0])
    scales = [figures.learning_curve(history, "regression").axes[0].get_yscale() for history in (HISTORY, far)]
    assert scales == ["linear", "log"]


def test_the_confusion_shows_each_count_in_the_row_of_its_truth() -> None:
    truth, prediction = np.array([0, 0, 0, 1, 2]), np.array([0, 1, 1, 1, 0])
    axes = figures.confusion(truth, prediction, CLASSES).axes[0]
    counts = {(int(text.get_position()[1]), int(text.get_position()[0])): text.get_text() for text in axes.texts}
    assert counts == {(0, 0): "1", (0, 1): "2", (1, 1): "1", (2, 0): "1"}
    assert [label.get_text() for label in axes.get_yticklabels()] == list(CLASSES)
    np.testing.assert_allclose(axes.images[0].get_array().sum(axis=1), 1)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: figures.learning_curve(with_validation(HISTORY), "regression"),
        lambda: figures.confusion(np.array([0, 1, 2]), np.array([0, 2, 2]), CLASSES),
        lambda: figures.predicted_against_true(np.array([1.0, 2.0]), np.array([1.5, 1.9])),
        lambda: figures.prediction_grid(IMAGES, np.arange(20) % 3, np.arange(20) % 2, CLASSES),
    ],
    ids=["learning_curve", "confusion", "predicted_against_true", "prediction_grid"],
)
def test_a_picture_saved_twice_is_the_same_bytes_without_the_librarys_version(draw: object, tmp_path: Path) -> None:
    figures.save(draw(), tmp_path / "one.png")
    figures.save(draw(), tmp_path / "other.png")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "other.png").read_bytes()
    assert b"Software" not in (tmp_path / "one.png").read_bytes()
