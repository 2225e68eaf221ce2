"""The plot of a check: the effect of each feature, and the distributions of the features that differ most."""

from collections.abc import Mapping, Sequence
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
LONGEST, LONGEST_CATEGORY = 28, 10  # characters of a name, unless more are needed to tell it from another
GREY = "#999999"
SECONDS_PER_DAY = 86_400


def plot_drift(report: DriftReport, reference: ModelReference) -> "Figure":
    """Bars of the largest effects, in red where a feature has drifted, and up to six distributions."""
    from matplotlib.figure import Figure

    ordered = sorted(report.tests, key=lambda each: (not each.has_drifted, -each.test.effect))
    bars = ordered[:MOST_BARS]
    panels = list(_features(report, reference))
    places = {feature.name: number for number, (_, feature, _, _) in enumerate(panels)}
    shown = [panels[places[each.test.feature]] for each in ordered if each.test.feature in places][:MOST_PANELS]
    short = _shortened([*(each.test.feature for each in bars), *(feature.name for _, feature, _, _ in shown)], LONGEST)
    figure = Figure(figsize=(11, max(4.5, 1.2 + 0.24 * len(bars))), layout="constrained")
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(5, 6))[0]
    _plot_effects(left.subplots(), report, bars, short)
    rows = -(-len(shown) // 2)
    axes = np.ravel(right.subplots(max(1, rows), 2))
    for each in axes[len(shown) :]:
        each.set_axis_off()
    explained: set[str] = set()
    for each, (known, feature, position, measured) in zip(axes, shown, strict=False):
        label = "test samples" if known is reference.outputs else "training"
        each.set_title(short[feature.name], fontsize="small")
        _plot_feature(each, known, feature, position, measured, label)
        if label not in explained:
            each.legend(frameon=False, fontsize="x-small")
        explained.add(label)
    return figure


def _features(
    report: DriftReport, reference: ModelReference
) -> "list[tuple[Reference, FeatureSummary, int, Measured]]":
    """Each feature of samples and outputs with its position."""
    pairs = zip((reference.inputs, reference.outputs), report.measured, strict=True)
    return [
        (known, feature, number, measured) for known, measured in pairs for number, feature in enumerate(known.features)
    ]


def _plot_effects(axes: "Axes", report: DriftReport, bars: Sequence[AdjustedTest], short: Mapping[str, str]) -> None:
    heights = np.arange(len(bars))[::-1]
    colours = [RED if each.has_drifted else GREY for each in bars]
    axes.barh(heights, [each.test.effect for each in bars], color=colours)
    axes.axvline(SMALLEST_EFFECT, color="black", linewidth=1, linestyle="--")
    axes.set_yticks(heights, [short[each.test.feature] for each in bars], fontsize="small")
    axes.set(xlim=(0, 1), xlabel="effect: largest difference of shares")
    verdict = f"{len(report.drifted)} of {len(report.tests)} have drifted (red)"
    axes.set_title(f"{report.model}: {report.compared} new samples\n{verdict}", fontsize="medium")


def _plot_feature(
    axes: "Axes", known: Reference, feature: FeatureSummary, position: int, measured: Measured, label_of_known: str
) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    axes.tick_params(labelsize="x-small")
    values = measured.values[:, position]
    present = np.sort(values[~np.isnan(values)])
    if not feature.is_coded:
        for each, colour, label in ((known.kept(position), BLUE, label_of_known), (present, RED, "new")):
            x = (each * SECONDS_PER_DAY).astype("datetime64[s]") if feature.kind == "date" else each
            axes.step(x, np.arange(1, len(each) + 1) / max(1, len(each)), color=colour, label=label, where="post")
        axes.set_ylabel("share up to", fontsize="x-small")
        if feature.kind == "date":
            locator = AutoDateLocator(minticks=2, maxticks=6)  # with five or more, it has no step for 3 years
            axes.xaxis.set_major_locator(locator)
            axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        return
    names = [*feature.categories, OTHER]
    shares = shares_of(category_counts(feature, present, measured.columns[position]))
    most = np.sort(np.argsort(-np.abs(shares[1] - shares[0]), kind="stable")[:MOST_CATEGORIES])
    for row, (colour, label) in enumerate(((BLUE, label_of_known), (RED, "new"))):
        axes.bar(np.arange(len(most)) + 0.4 * row, shares[row, most], width=0.4, color=colour, label=label)
    labels = _shortened([names[number] for number in most], LONGEST_CATEGORY)
    axes.set_xticks(np.arange(len(most)) + 0.2, list(labels.values()), rotation=30, fontsize="x-small")
    axes.set_ylabel("share", fontsize="x-small")


def _shortened(names: Sequence[str], longest: int) -> dict[str, str]:
    """Names without their ends or middles, as short as keeps them apart, but no shorter than `longest`."""
    cuts = (
        {name: _cut(name, length, kept_end) for name in names}
        for length in range(longest, max(map(len, names), default=0) + longest)
        for kept_end in (0, length // 2)
    )
    return next(short for short in cuts if len(set(short.values())) == len(short))


def _cut(name: str, length: int, kept_end: int) -> str:
    if len(name) <= length:
        return name
    return f"{name[: length - kept_end - 1]}…{name[len(name) - kept_end :]}"
