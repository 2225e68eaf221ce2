"""Draws an overview of the results: rebuild and notebooks, up-to-date run, one and two jobs, growth with samples."""

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
    """Draw the results; a part without results is marked as not measured."""
    figure = Figure(figsize=(11, 8), layout="constrained")
    subplots = figure.subplots(2, 2)
    drawn = {
        "Rebuild relative to the notebooks (= 1)": (_ratios, _relative_resources(parts)),
        "Run with everything up to date": (_nothing, _found(parts, "nothing")),
        "One job and two jobs": (_jobs, _found(parts, "jobs")),
        "Growth with training samples": (_growth, _found(parts, "growth")),
    }
    for axes, (title, (draw_one, found)) in zip(subplots.flat, drawn.items(), strict=True):
        axes.set_title(title)
        if found:
            draw_one(axes, found)
        else:
            axes.text(0.5, 0.5, "not measured", ha="center", transform=axes.transAxes)
    save(figure, path)


def _found(parts: Parts, name: str) -> Mapping[str, Any]:
    return parts.get(name, {}).get("found", {})


def _relative_resources(parts: Parts) -> dict[str, list[float]]:
    """Resources of each rebuild divided by those of the notebooks, by precision."""
    rebuilds = comparable(parts)
    return {
        precision: [rebuild[key] / total(parts["notebooks"]["found"], key) for key in RESOURCES]
        for precision, rebuild in rebuilds.items()
    }


def _ratios(axes: Axes, found: Mapping[str, Any]) -> None:
    for number, (precision, ratios) in enumerate(found.items()):
        positions = [index + 0.4 * number - 0.2 for index in range(len(ratios))]
        bars = axes.bar(positions, ratios, 0.38, color=COLOURS[precision], label=precision)
        axes.bar_label(bars, fmt="%.2f")
        axes.hlines(GOALS[precision], positions[0] - 0.19, positions[0] + 0.19, color=RED)
        axes.hlines(MEMORY_GOAL, positions[-1] - 0.19, positions[-1] + 0.19, color=RED)
    axes.axhline(1, color="black", linewidth=0.5)
    axes.set_xticks(range(len(RESOURCES)), [label.partition(",")[0] for label in RESOURCES.values()])
    axes.plot([], [], color=RED, label="goal")
    axes.legend()


def _nothing(axes: Axes, found: Mapping[str, Any]) -> None:
    counts = list(found)
    for number, (command, colour) in enumerate((("modelyard run", BLUE), ("dvc repro", SKY))):
        seconds = [median(found[count][f"{command}: wall_seconds"]) for count in counts]
        bars = axes.bar([index + 0.4 * number - 0.2 for index in range(len(counts))], seconds, 0.38, color=colour)
        bars.set_label(command)
        axes.bar_label(bars, fmt="%.2f")
    axes.set_xticks(range(len(counts)), [f"{found[count]['stages']} stages" for count in counts])
    axes.set_ylabel("s")
    axes.legend()


def _jobs(axes: Axes, found: Mapping[str, Any]) -> None:
    for index, jobs in enumerate(("-j 1", "-j 2")):
        bars = axes.bar(
            index, median(each[jobs]["wall_seconds"] for each in found.values()), 0.6, color=(SKY, BLUE)[index]
        )
        axes.bar_label(bars, fmt="%.1f")
    axes.set_xticks(range(2), ["-j 1", "-j 2"])
    axes.set_ylabel("s")


def _growth(axes: Axes, found: Mapping[str, Any]) -> None:
    memory = axes.twinx()
    for model, colour in (("mlp", GREEN), ("cnn", BLUE)):
        named = {int(name.rpartition("_")[2]): each for name, each in found.items() if name.startswith(model)}
        axes.plot(
            list(named), [each["fit_seconds"] for each in named.values()], "o-", color=colour, label=f"{model}, fit"
        )
        peaks = [each["peak_megabytes"] for each in named.values()]
        memory.plot(list(named), peaks, "s:", color=colour, label=f"{model}, memory")
    axes.set_xlabel("training samples")
    axes.set_ylabel("s")
    memory.set_ylabel("MiB")
    memory.set_ylim(bottom=0)
    axes.set_ylim(bottom=0)
    axes.legend(handles=[*axes.get_lines(), *memory.get_lines()], loc="center right")
