"""Detections: the style of boxes, and the position of their labels."""

import numpy as np
import pytest
from matplotlib.axes import Axes

from modelyard.experiments import plots

CLASSES = ("nought", "one")
CANVAS = np.zeros((1, 64, 64, 1), dtype=np.uint8)
NO_BOX = (-1, 0, 0, 0, 0)


def axes_of(truths: list[tuple], found: list[tuple]) -> Axes:
    boxes = np.array(found, dtype=float).reshape(-1, 6)
    return plots.detections(CANVAS, np.array([truths], dtype=float), [boxes], CLASSES).axes[0]


def boxes_of(axes: Axes, dashed: bool) -> list[tuple]:
    patches = [patch for patch in axes.patches if (patch.get_linestyle() != "solid") == dashed]
    return [(patch.get_x(), patch.get_y(), patch.get_width(), patch.get_height()) for patch in patches]


def test_true_boxes_are_dashed_and_predicted_ones_solid_with_class_and_score() -> None:
    axes = axes_of([(1, 10, 20, 30, 50), NO_BOX], [(0, 12, 20, 30, 45, 0.875)])
    assert boxes_of(axes, dashed=True) == [(10, 20, 20, 30)]
    assert boxes_of(axes, dashed=False) == [(12, 20, 18, 25)]
    assert [text.get_text() for text in axes.texts] == ["nought: 0.88"]


def test_a_box_covers_the_pixels_from_its_left_and_top_up_to_its_right_and_bottom() -> None:
    assert axes_of([NO_BOX], []).images[0].get_extent() == [0, 64, 64, 0]


@pytest.mark.parametrize("left, side", [(2, "left"), (50, "right")])
@pytest.mark.parametrize("top, side_of_text", [(20, "bottom"), (1, "top")])
def test_a_label_is_above_its_box_or_below_it_and_never_leaves_the_image(
    left: int, side: str, top: int, side_of_text: str
) -> None:
    figure = plots.detections(
        CANVAS, np.array([[NO_BOX]]), [np.array([[1, left, top, left + 12, top + 20, 0.5]])], CLASSES
    )
    figure.draw_without_rendering()
    (name,) = figure.axes[0].texts
    assert (name.get_ha(), name.get_va()) == (side, side_of_text)
    image, place = figure.axes[0].get_window_extent(), name.get_window_extent()
    assert image.x0 <= place.x0 and place.x1 <= image.x1
    assert image.y0 <= place.y0 and place.y1 <= image.y1


def test_no_more_than_sixteen_images_are_drawn() -> None:
    images, truths = np.repeat(CANVAS, 20, axis=0), np.zeros((20, 1, 5)) + NO_BOX
    figure = plots.detections(images, truths, [np.zeros((0, 6))] * 20, CLASSES)
    assert sum(bool(axes.images) for axes in figure.axes) == 16


def test_the_legend_names_both_kinds_of_boxes() -> None:
    figure = plots.detections(CANVAS, np.array([[NO_BOX]]), [np.zeros((0, 6))], CLASSES)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["true", "predicted, with class and score"]
