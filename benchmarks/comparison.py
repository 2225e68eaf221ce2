"""Rebuilds compared with the notebooks, and single experiments with theirs."""

from collections.abc import Mapping
from itertools import pairwise
from statistics import median
from typing import Any

from benchmarks.parts.nothing import COMMANDS

Found = Mapping[str, Any]  # results of a part, by key
Parts = Mapping[str, Found]  # the content of each part's file
RESOURCES = {"wall_seconds": "wall time, s", "cpu_seconds": "CPU time, s", "peak_megabytes": "peak memory, MiB"}
REBUILDS = {"rebuild": "float32", "rebuild_bfloat16": "bfloat16"}


def total(notebooks: Found, key: str) -> float:
    """A resource of all notebooks: the sum, or the maximum for memory, because they ran one after the other."""
    values = [notebook[key] for notebook in notebooks.values()]
    return max(values) if key == "peak_megabytes" else sum(values)


def comparable(parts: Parts) -> dict[str, Found]:
    """The complete rebuilds that were measured with the same size as the notebooks, by precision."""
    notebooks = parts.get("notebooks", {})
    same = ("notebooks", "epochs_share", "rows")
    return {
        precision: parts[name]["found"]["all"]
        for name, precision in REBUILDS.items()
        if name in parts and parts[name]["complete"] and notebooks.get("complete")
        and all(parts[name]["size"][key] == notebooks["size"][key] for key in same)
    }  # fmt: skip


def resource_ratios(parts: Parts) -> dict[str, dict[str, float]]:
    """Resources of each comparable rebuild divided by those of the notebooks, by precision."""
    return {
        precision: {key: rebuild[key] / total(parts["notebooks"]["found"], key) for key in RESOURCES}
        for precision, rebuild in comparable(parts).items()
    }


def later_epochs(rounds: list[list[float]]) -> list[float]:
    """Seconds of all epochs but the first of each round, which includes tracing."""
    return [seconds for epochs in rounds for seconds in epochs[1:]]


def ratio_of_epochs(experiment: Found) -> float:
    """Seconds per epoch with the pipeline divided by those of the notebook, for a result of the part `alone`."""
    ours, theirs = (median(later_epochs(experiment[side])) for side in ("modelyard run", "notebook"))
    return ours / theirs


def ratio_up_to_date(project: Found, resource: str) -> float:
    """Wall or CPU seconds of `modelyard run` divided by those of `dvc repro`, for a result of the part `nothing`."""
    ours, theirs = (median(project[f"{command}: {resource}"]) for command in COMMANDS)
    return ours / theirs


def seconds_per_stage(nothing: Found, command: str) -> dict[tuple[int, int], float]:
    """CPU seconds of a command for one more stage, between the numbers of stages of two projects with copies."""
    copies = [project for name, project in nothing.items() if name.isdecimal()]
    return {
        (few["stages"], many["stages"]): (
            (median(many[f"{command}: cpu_seconds"]) - median(few[f"{command}: cpu_seconds"]))
            / (many["stages"] - few["stages"])
        )
        for few, many in pairwise(copies)
    }
