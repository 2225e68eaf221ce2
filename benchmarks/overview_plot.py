"""Draws an overview of the results, one subplot for each comparison."""

from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks import goals
from benchmarks.comparison import REBUILDS, RESOURCES, Parts, later_epochs, resource_ratios
from modelyard.experiments.plots.style import BLUE, GREEN, RED, SKY, YELLOW, save

COLOURS = {"float32": BLUE, "bfloat16": YELLOW}


def draw(parts: Parts, path: Path) -> None:
    """Draw the results; a part without results is marked as not measured."""
    figure = Figure(figsize=(11, 12), layout="constrained")
    subplots = figure.subplots(3, 2)
    drawn = {
        "Rebuild relative to the notebooks (= 1)": (_ratios, resource_ratios(parts)),
        "Busy cores during the rebuild": (_busy_cores, _busy_rebuilds(parts)),
        "Epoch of one experiment alone": (_alone, _found(parts, "alone")),
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


def _busy_rebuilds(parts: Parts) -> dict[str, Mapping[str, Any]]:
    """The rebuilds whose busy cores were sampled, by precision."""
    rebuilds = {precision: _found(parts, name).get("all", {}) for name, precision in REBUILDS.items()}
    return {precision: rebuild for precision, rebuild in rebuilds.items() if rebuild.get("busy_cores")}


def _ratios(axes: Axes, found: Mapping[str, Any]) -> None:
    for number, (precision, ratios) in enumerate(found.items()):
        positions = [index + 0.4 * number - 0.2 for index in range(len(ratios))]
        bars = axes.bar(positions, list(ratios.values()), 0.38, color=COLOURS[precision], label=precision)
        axes.bar_label(bars, fmt="%.2f")
        axes.hlines(goals.WALL[precision], positions[0] - 0.19, positions[0] + 0.19, color=RED)
        axes.hlines(goals.MEMORY, positions[-1] - 0.19, positions[-1] + 0.19, color=RED)
    axes.axhline(1, color="black", linewidth=0.5)
    axes.set_xticks(range(len(RESOURCES)), [label.partition(",")[0] for label in RESOURCES.values()])
    axes.plot([], [], color=RED, label="goal")
    axes.legend()


def _busy_cores(axes: Axes, found: Mapping[str, Any]) -> None:
    for precision, rebuild in found.items():
        samples = rebuild["busy_cores"]
        minutes = np.linspace(0, rebuild["wall_seconds"] / 60, len(samples) + 1)
        axes.stairs(samples, minutes, baseline=None, color=COLOURS[precision], label=precision)
    axes.set_xlabel("minutes")
    axes.set_ylim(bottom=0)
    axes.legend(loc="lower left")


def _alone(axes: Axes, found: Mapping[str, Any]) -> None:
    for number, (side, colour) in enumerate((("notebook", SKY), ("modelyard run", BLUE))):
        seconds = [median(later_epochs(each[side])) for each in found.values()]
        positions = [index + 0.4 * number - 0.2 for index in range(len(found))]
        axes.bar_label(axes.bar(positions, seconds, 0.38, color=colour, label=side), fmt="%.2f")
    for index, each in enumerate(found.values()):
        limit = goals.ALONE * median(later_epochs(each["notebook"]))
        axes.hlines(limit, index + 0.01, index + 0.39, color=RED, label=None if index else "goal")
    axes.set_xticks(range(len(found)), list(found))
    axes.set_ylabel("s")
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
