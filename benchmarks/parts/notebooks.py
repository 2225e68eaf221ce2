"""Runs each notebook as a plain Keras script, one process after the other."""

import sys
from collections.abc import Collection, Iterator
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.parts.rebuild import fetched_clone
from benchmarks.processes import Usage, run_measured
from benchmarks.project_clone import ROOT, command_environment, read_json_lines
from benchmarks.sizes import NOTEBOOKS, Size


def measure(size: Size, done: Collection[str]) -> Iterator[tuple[str, Any]]:
    """For each notebook: its resources, and for each of its experiments the metric, seconds and epochs of the fit."""
    remaining = [name for name in size.notebooks if name not in done]
    if not remaining:
        return
    with fetched_clone(size) as clone:
        for name in remaining:
            usage, lines = run_script(name, clone.raw, size)
            yield name, asdict(usage) | {"experiments": by_experiment(lines, NOTEBOOKS[name])}


def run_script(name: str, raw: Path, size: Size) -> tuple[Usage, list[dict[str, Any]]]:
    """Run a notebook on the files of a folder; returns its resources and what it logged of fits and metrics."""
    script = ROOT / "benchmarks" / "notebooks" / f"{name}.py"
    with TemporaryDirectory() as folder:
        records_file = Path(folder) / "benchmark.jsonl"
        environment = command_environment() | {
            "BENCHMARK_LOG": str(records_file),
            "BENCHMARK_EPOCHS_SHARE": str(size.epochs_share),
            "BENCHMARK_ROWS": str(size.rows),
        }
        command = [sys.executable, str(script), str(raw)]
        usage = run_measured(command, Path(folder), environment, Path(folder) / "output.log")
        return usage, read_json_lines(records_file)


def by_experiment(lines: list[dict[str, Any]], names: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Join the records of a script, which logs each fit and then the metric of the fitted model."""
    fits, metrics = [line for line in lines if "epochs" in line], [line for line in lines if "metric" in line]
    experiments = {
        metric.pop("experiment"): metric | {"fit_seconds": fit["fit_seconds"], "epochs": fit["epochs"]}
        for fit, metric in zip(fits, metrics, strict=True)
    }
    assert tuple(experiments) == names, f"trained: {list(experiments)}, expected: {list(names)}"  # noqa: S101
    return experiments
