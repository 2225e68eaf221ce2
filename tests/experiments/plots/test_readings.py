"""Readings: words in order, cut in time, red where the class is wrong."""

import pytest
from matplotlib.colors import to_hex

from modelyard.experiments import plots


def test_a_right_text_is_titled_in_black_and_a_wrong_one_in_red_with_the_truth_first() -> None:
    figure = plots.readings([plots.Reading(("net",), "earn", "earn"), plots.Reading(("bid",), "acq", "earn")])
    titles = [(axes.get_title(loc="left"), to_hex(axes._left_title.get_color())) for axes in figure.axes]
    assert titles == [("earn", "#000000"), ("acq/earn", "#c00000")]
    assert [axes.texts[0].get_text() for axes in figure.axes] == ["net", "bid"]


@pytest.mark.parametrize("number, shown", [(1, 1), (5, 5), (12, 12), (20, 12)])
def test_no_more_than_twelve_texts_are_shown(number: int, shown: int) -> None:
    figure = plots.readings([plots.Reading(("net",), "earn", "earn")] * number)
    assert sum(bool(axes.texts) for axes in figure.axes) == shown


def test_a_long_text_is_truncated_and_stays_in_its_cell() -> None:
    words = ("commonwealth", "of", "shareholders", "announced", "1986") * 50
    figure = plots.readings([plots.Reading(words, "earn", "earn")] * 12)
    figure.draw_without_rendering()
    boxes = [axes.texts[0].get_window_extent() for axes in figure.axes]
    titles = [axes._left_title.get_window_extent() for axes in figure.axes]
    assert all(axes.texts[0].get_text().endswith("…") for axes in figure.axes)
    assert all(left.x1 < right.x0 for left, right in zip(boxes[::2], boxes[1::2], strict=True))
    assert all(upper.y0 > title.y1 for upper, title in zip(boxes, titles[2:], strict=False))
    assert min(box.y0 for box in boxes) >= 0


def test_a_dollar_sign_starts_no_formula(tmp_path) -> None:
    figure = plots.readings([plots.Reading(("$5", r"\no", "_", "$"), "a$b$", r"$\frac$")])
    plots.save(figure, tmp_path / "plot.png")
    assert figure.axes[0].texts[0].get_text() == r"$5 \no _ $"
