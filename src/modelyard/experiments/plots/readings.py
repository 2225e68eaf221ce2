"""Texts with the classes predicted for them."""

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from modelyard.experiments.plots.style import prediction_title

COLUMNS, ROWS = 2, 6
LETTERS, LINES = 68, 6  # of one text
BODY = {"va": "top", "fontsize": "small", "linespacing": 1.4, "in_layout": False}


class Reading(NamedTuple):
    """A text's words, its true class, and the predicted one."""

    words: Sequence[str]
    truth: str
    prediction: str


def readings(texts: Sequence[Reading]) -> Figure:
    """Up to 12 truncated texts, titled by the predicted class in black if right; else 'truth/prediction' in red."""
    rows = min(ROWS, max(1, -(-len(texts) // COLUMNS)))
    figure = Figure(figsize=(10, 1.6 * rows), layout="constrained")
    all_axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes in all_axes:
        axes.set_axis_off()
    for axes, text in zip(all_axes, texts, strict=False):
        title, colour = prediction_title(text.truth, text.prediction)
        axes.set_title(title, color=colour, loc="left", fontweight="bold", fontsize="medium")
        lines = textwrap.wrap(" ".join(text.words), LETTERS, max_lines=LINES, placeholder=" …")
        axes.text(0, 1, "\n".join(lines), **BODY)
    return figure
