"""The plot of a check: the effect of each feature, and the distributions of the features that differ most."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from modelyard.data.contract import FeatureSummary, Measured, Reference
from modelyard.experiments.plots.style import BLUE, RED
from modelyard.serving.check import DriftReport
from modelyard.serving.drift import OTHER, SMALLEST_EFFECT, AdjustedTest, category_counts, shares_of
from modelyard.serving.reference import ModelReference

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_BARS, MOST_PANELS, MOST_CATEGORIES = 25, 6, 8
LONGEST = 28  # characters of a name
GREY = "#999999"


def plot_drift(report: DriftReport, reference: ModelReference) -> "Figure":
    """Bars of the largest effects, in red where a feature has drifted, and up to six distributions."""
    from matplotlib.figure import Figure

    ordered = sorted(report.tests, key=lambda each: (not each.has_drifted, -each.test.effect))
    bars = ordered[:MOST_BARS]
    panels = list(_features(report, reference))
    places = {feature.name: number for number, (_, feature, _, _) in enumerate(panels)}
    shown = [panels[places[each.test.feature]] for each in ordered if each.test.feature in places][:MOST_PANELS]
    figure = Figure(figsize=(11, max(4.5, 1.2 + 0.24 * len(bars))), layout="constrained")
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(5, 6))[0]
    _plot_effects(left.subplots(), report, bars)
    rows = -(-len(shown) // 2)
    axes = np.ravel(right.subplots(max(1, rows), 2))
    for each in axes[len(shown) :]:
        each.set_axis_off()
    for number, (each, (known, feature, position, measured)) in enumerate(zip(axes, shown, strict=False)):
        _plot_feature(each, known, feature, position, measured)
        if number == 0:
            each.legend(frameon=False, fontsize="x-small")
    return figure


def _features(
    report: DriftReport, reference: ModelReference
) -> "list[tuple[Reference, FeatureSummary, int, Measured]]":
    """Each feature of samples and outputs with its position."""
    pairs = zip((reference.inputs, reference.outputs), report.measured, strict=True)
    return [
        (known, feature, number, measured) for known, measured in pairs for number, feature in enumerate(known.features)
    ]


def _plot_effects(axes: "Axes", report: DriftReport, bars: Sequence[AdjustedTest]) -> None:
    heights = np.arange(len(bars))[::-1]
    colours = [RED if each.has_drifted else GREY for each in bars]
    axes.barh(heights, [each.test.effect for each in bars], color=colours)
    axes.axvline(SMALLEST_EFFECT, color="black", linewidth=1, linestyle="--")
    axes.set_yticks(heights, [_short(each.test.feature) for each in bars], fontsize="small")
    axes.set(xlim=(0, 1), xlabel="effect: largest difference of shares")
    verdict = f"{len(report.drifted)} of {len(report.tests)} have drifted (red)"
    axes.set_title(f"{report.model}: {report.compared} new samples\n{verdict}", fontsize="medium")


def _plot_feature(axes: "Axes", known: Reference, feature: FeatureSummary, position: int, measured: Measured) -> None:
    axes.set_title(_short(feature.name), fontsize="small")
    axes.tick_params(labelsize="x-small")
    values = measured.values[:, position]
    present = np.sort(values[~np.isnan(values)])
    if not feature.is_coded:
        for each, colour, label in ((known.kept(position), BLUE, "training"), (present, RED, "new")):
            axes.step(each, np.arange(1, len(each) + 1) / max(1, len(each)), color=colour, label=label, where="post")
        axes.set_ylabel("share up to", fontsize="x-small")
        return
    names = [*feature.categories, OTHER]
    shares = shares_of(category_counts(feature, present, measured.columns[position]))
    largest = np.sort(np.argsort(-shares.max(axis=0), kind="stable")[:MOST_CATEGORIES])
    for row, (colour, label) in enumerate(((BLUE, "training"), (RED, "new"))):
        axes.bar(np.arange(len(largest)) + 0.4 * row, shares[row, largest], width=0.4, color=colour, label=label)
    labels = [_short(names[number], 10) for number in largest]
    axes.set_xticks(np.arange(len(largest)) + 0.2, labels, rotation=30, fontsize="x-small")
    axes.set_ylabel("share", fontsize="x-small")


def _short(name: str, longest: int = LONGEST) -> str:
    return name if len(name) <= longest else f"{name[: longest - 1]}…"
