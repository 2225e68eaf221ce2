"""Learning curves, and precision-recall curves."""

from collections.abc import Mapping
from itertools import product

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from modelyard.experiments.plots.style import BLACK, BLUE, COLOURS, GREEN, PURPLE, RED, SKY, YELLOW

FAR = 20  # times: after a longer fall the end of a loss cannot be seen on a linear axis
STYLES = [(colour, dashes) for dashes, colour in product("-:", (BLUE, RED, GREEN, YELLOW, PURPLE, SKY, BLACK))]


class _Plain(LogFormatter):
    """Labels of a logarithmic axis as 300 and 0.03, not as powers of ten."""

    def __call__(self, value: float, place: int | None = None) -> str:
        return f"{value:g}" if super().__call__(value, place) else ""


def learning_curve(history: pd.DataFrame, metric: str | None) -> Figure:
    """Loss on the left axis, the metric, if any, on the right one, over epochs or trees."""
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    loss_axes = figure.add_subplot(xlabel="epoch", ylabel="loss")
    metric_axes = loss_axes.twinx()
    metric_axes.set_ylabel(metric or "")
    if metric is None:
        metric_axes.set_axis_off()
    marker = "o" if len(history) == 1 else None
    for column, axes, label, colour in (
        ("loss", loss_axes, "train loss", COLOURS["train loss"]),
        ("val_loss", loss_axes, "validation loss", COLOURS["validation loss"]),
        (metric, metric_axes, f"train {metric}", COLOURS["train"]),
        (f"val_{metric}", metric_axes, f"validation {metric}", COLOURS["validation"]),
    ):
        if column in history:
            axes.plot(history["epoch"], history[column], color=colour, label=label, marker=marker)
    if history["loss"].max() > FAR * max(history["loss"].min(), 1e-12):
        loss_axes.set_yscale("log")
        loss_axes.yaxis.set_major_formatter(_Plain())
        loss_axes.yaxis.set_minor_formatter(_Plain(minor_thresholds=(2, 0.5)))
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize="small")
    return figure


def precision_recall(curves: Mapping[str, tuple[np.ndarray, np.ndarray, float]]) -> Figure:
    """A curve for each class, given as (recall, precision, average precision), titled by the mean of the averages."""
    figure = Figure(figsize=(7, 4.6), layout="constrained")
    axes = figure.add_subplot(xlabel="recall", ylabel="precision", xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    for number, (name, (recall, precision, average)) in enumerate(curves.items()):
        colour, dashes = STYLES[number % len(STYLES)]
        axes.plot(recall, precision, dashes, drawstyle="steps-pre", color=colour, label=f"{name}  {average:.3f}")
    mean = np.mean([average for *_, average in curves.values()])
    axes.set_title(f"mean average precision {mean:.3f}")
    figure.legend(loc="outside right upper", frameon=False, title="average precision", fontsize="small")
    return figure
