"""Predictions against truths: every count in its place, and many classes that stay readable."""

import itertools

import numpy as np
import pytest

from modelyard.experiments import plots

CLASSES = ("shirt", "boot", "bag")


def test_the_confusion_shows_each_count_in_the_row_of_its_truth() -> None:
    truth, prediction = np.array([0, 0, 0, 1, 2]), np.array([0, 1, 1, 1, 0])
    axes = plots.confusion(truth, prediction, CLASSES).axes[0]
    counts = {(int(text.get_position()[1]), int(text.get_position()[0])): text.get_text() for text in axes.texts}
    assert counts == {(0, 0): "1", (0, 1): "2", (1, 1): "1", (2, 0): "1"}
    assert [label.get_text() for label in axes.get_yticklabels()] == list(CLASSES)
    np.testing.assert_allclose(axes.images[0].get_array().sum(axis=1), 1)


@pytest.mark.parametrize("number, numbered", [(20, True), (21, False), (46, False)])
def test_counts_are_written_for_no_more_than_twenty_classes(number: int, numbered: bool) -> None:
    each = np.arange(number)
    axes = plots.confusion(each, each, tuple(f"class {which}" for which in each)).axes[0]
    assert bool(axes.texts) == numbered
    assert len(axes.get_yticklabels()) == number


@pytest.mark.parametrize("number", [21, 46])
def test_many_class_names_do_not_touch_and_the_plot_keeps_its_size(number: int) -> None:
    each = np.arange(number)
    figure = plots.confusion(each, each, tuple(f"long-class-{which}" for which in each))
    figure.draw_without_rendering()
    ends = [label.get_window_extent() for label in figure.axes[0].get_xticklabels()]
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(ends))
    assert max(figure.get_size_inches()) <= 12


def test_small_shares_of_many_classes_are_lightened() -> None:
    few, many = (plots.confusion(np.arange(n), np.arange(n), ("a",) * n).axes[0].images[0].norm for n in (20, 21))
    assert float(few(0.04)) == pytest.approx(0.04)
    assert float(many(0.04)) == pytest.approx(0.2)


def test_a_class_without_samples_has_a_dark_row() -> None:
    shares = plots.confusion(np.array([0, 0]), np.array([0, 1]), CLASSES).axes[0].images[0].get_array()
    np.testing.assert_array_equal(shares, [[0.5, 0.5, 0], [0, 0, 0], [0, 0, 0]])


def test_each_value_is_a_point_over_its_truth() -> None:
    axes = plots.predicted_against_true(np.array([1.0, 2.0]), np.array([1.5, 1.9])).axes[0]
    np.testing.assert_array_equal(axes.collections[0].get_offsets(), [[1.0, 1.5], [2.0, 1.9]])
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), [[1.0, 1.0], [2.0, 2.0]])
