"""Learning curves and precision-recall curves: axes, scales, labels."""

import numpy as np
import pandas as pd
import pytest

from modelyard.experiments import plots

HISTORY = pd.DataFrame({"epoch": [1, 2, 3], "loss": [3.0, 2.0, 1.0], "mae": [1.5, 1.2, 0.9]})
RECALL, PRECISION = np.array([0.2, 0.4, 0.8]), np.array([1.0, 0.75, 0.5])


def with_validation(history: pd.DataFrame) -> pd.DataFrame:
    return history.assign(val_loss=history.loss + 0.5, val_mae=history.mae + 0.5)


@pytest.mark.parametrize("history, sides", [(HISTORY, ["train"]), (with_validation(HISTORY), ["train", "validation"])])
def test_the_learning_curve_has_loss_on_the_left_and_the_metric_on_the_right(
    history: pd.DataFrame, sides: list[str]
) -> None:
    curve = plots.learning_curve(history, "mae")
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
    scales = [plots.learning_curve(history, "mae").axes[0].get_yscale() for history in (HISTORY, far)]
    assert scales == ["linear", "log"]


def test_a_logarithmic_axis_is_labelled_with_plain_numbers() -> None:
    for loss, expected in (([700.0, 90.0, 30.0], {"100", "200"}), ([0.7, 0.09, 0.03], {"0.1", "0.2"})):
        figure = plots.learning_curve(HISTORY.assign(loss=loss), "mae")
        figure.draw_without_rendering()
        axis = figure.axes[0].yaxis
        written = {tick.get_text() for tick in (*axis.get_ticklabels(), *axis.get_ticklabels(minor=True))}
        assert expected <= written
        assert not [text for text in written if "^" in text or "e" in text]


def test_each_class_has_a_line_labelled_by_its_average_precision_and_the_title_is_their_mean() -> None:
    figure = plots.precision_recall({"boot": (RECALL, PRECISION, 0.5), "bag": (RECALL, PRECISION / 2, 0.25)})
    (axes,) = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("recall", "precision")
    assert [line.get_label() for line in axes.lines] == ["boot  0.500", "bag  0.250"]
    assert axes.get_title() == "mean average precision 0.375"
    np.testing.assert_array_equal(axes.lines[1].get_xydata(), np.column_stack([RECALL, PRECISION / 2]))


def test_the_precision_at_a_recall_is_that_of_the_next_point() -> None:
    line = plots.precision_recall({"boot": (RECALL, PRECISION, 0.5)}).axes[0].lines[0]
    assert line.get_drawstyle() == "steps-pre"


def test_fourteen_classes_have_fourteen_different_lines() -> None:
    curves = {str(number): (RECALL, PRECISION, 0.5) for number in range(14)}
    lines = plots.precision_recall(curves).axes[0].lines
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 14


def test_a_class_without_predictions_has_an_empty_line() -> None:
    (line,) = plots.precision_recall({"boot": (np.zeros(0), np.zeros(0), 0.0)}).axes[0].lines
    assert (line.get_label(), len(line.get_xdata())) == ("boot  0.000", 0)
