"""The figures at a glance: the rebuild against the notebooks, nothing to do, two stages at once, growth with rows."""

from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.report import RESOURCES, comparable, total
from modelyard.experiments.plots.style import BLUE, GREEN, RED, SKY, YELLOW, save

Parts = Mapping[str, Mapping[str, Any]]
COLOURS = {"float32": BLUE, "bfloat16": YELLOW}
GOALS = {"float32": 0.55, "bfloat16": 0.4}  # of the notebooks' wall time
MEMORY_GOAL = 1 / 3


def draw(parts: Parts, path: Path) -> None:
    """Draw what was measured; a place without figures says so."""
    figure = Figure(figsize=(11, 8), layout="constrained")
    places = figure.subplots(2, 2)
    drawn = {
        "The rebuild, the notebooks being 1": (_ratios, comparable(parts)),
        "Nothing to do": (_nothing, _found(parts, "nothing")),
        "One stage at a time, and two": (_jobs, _found(parts, "jobs")),
        "Growth with rows": (_growth, _found(parts, "growth")),
    }
    for axes, (title, (draw_one, found)) in zip(places.flat, drawn.items(), strict=True):
        axes.set_title(title)
        if found:
            draw_one(axes, found, parts)
        else:
            axes.text(0.5, 0.5, "not measured", ha="center", transform=axes.transAxes)
    save(figure, path)


def _found(parts: Parts, name: str) -> Mapping[str, Any]:
    return parts.get(name, {}).get("found", {})


def _ratios(axes: Axes, rebuilds: Mapping[str, Any], parts: Parts) -> None:
    notebooks = parts["notebooks"]["found"]
    for number, (precision, rebuild) in enumerate(rebuilds.items()):
        ratios = [rebuild[key] / total(notebooks, key) for key in RESOURCES]
        places = [place + 0.4 * number - 0.2 for place in range(len(ratios))]
        bars = axes.bar(places, ratios, 0.38, color=COLOURS[precision], label=precision)
        axes.bar_label(bars, fmt="%.2f")
        axes.hlines(GOALS[precision], places[0] - 0.19, places[0] + 0.19, color=RED)
        axes.hlines(MEMORY_GOAL, places[-1] - 0.19, places[-1] + 0.19, color=RED)
    axes.axhline(1, color="black", linewidth=0.5)
    axes.set_xticks(range(len(RESOURCES)), [told.partition(",")[0] for told in RESOURCES.values()])
    axes.plot([], [], color=RED, label="goal")
    axes.legend()


def _nothing(axes: Axes, found: Mapping[str, Any], parts: Parts) -> None:
    counts = list(found)
    for number, (command, colour) in enumerate((("modelyard run", BLUE), ("dvc repro", SKY))):
        seconds = [median(found[count][f"{command}: wall_seconds"]) for count in counts]
        bars = axes.bar([place + 0.4 * number - 0.2 for place in range(len(counts))], seconds, 0.38, color=colour)
        bars.set_label(command)
        axes.bar_label(bars, fmt="%.2f")
    axes.set_xticks(range(len(counts)), [f"{count} experiments" for count in counts])
    axes.set_ylabel("s")
    axes.legend()


def _jobs(axes: Axes, found: Mapping[str, Any], parts: Parts) -> None:
    for place, jobs in enumerate(("-j 1", "-j 2")):
        bars = axes.bar(
            place, median(each[jobs]["wall_seconds"] for each in found.values()), 0.6, color=(SKY, BLUE)[place]
        )
        axes.bar_label(bars, fmt="%.1f")
    axes.set_xticks(range(2), ["-j 1", "-j 2"])
    axes.set_ylabel("s")


def _growth(axes: Axes, found: Mapping[str, Any], parts: Parts) -> None:
    memory = axes.twinx()
    for model, colour in (("mlp", GREEN), ("cnn", BLUE)):
        named = {int(name.rpartition("_")[2]): each for name, each in found.items() if name.startswith(model)}
        axes.plot(
            list(named), [each["fit_seconds"] for each in named.values()], "o-", color=colour, label=f"{model}, fit"
        )
        peaks = [each["peak_megabytes"] for each in named.values()]
        memory.plot(list(named), peaks, "s:", color=colour, label=f"{model}, memory")
    axes.set_xlabel("rows")
    axes.set_ylabel("s")
    memory.set_ylabel("MiB")
    memory.set_ylim(bottom=0)
    axes.set_ylim(bottom=0)
    axes.legend(handles=[*axes.get_lines(), *memory.get_lines()], loc="center right")
