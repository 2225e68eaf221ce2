"""Runs each notebook as a plain Keras script, one process after the other."""

import sys
from collections.abc import Collection, Iterator
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.parts.rebuild import adapted
from benchmarks.processes import run_measured
from benchmarks.project_clone import ROOT, clone_project, command_environment, datasets_of, read_json_lines
from benchmarks.sizes import NOTEBOOKS, Size


def measure(size: Size, done: Collection[str]) -> Iterator[tuple[str, Any]]:
    """For each notebook: its resources, and for each of its experiments the metric, seconds and epochs of the fit."""
    remaining = [name for name in size.notebooks if name not in done]
    if not remaining:
        return
    adapt, needed = adapted(size, "float32"), set()
    with clone_project(lambda params: (adapt(params), needed.update(datasets_of(params, size.experiments)))) as clone:
        raw = clone.fetch(needed)
        for name in remaining:
            yield name, _run(name, raw, size)


def _run(name: str, raw: Path, size: Size) -> dict[str, Any]:
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
        return asdict(usage) | {"experiments": by_experiment(read_json_lines(records_file), NOTEBOOKS[name])}


def by_experiment(lines: list[dict[str, Any]], names: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Join the records of a script, which logs each fit and then the metric of the fitted model."""
    fits, metrics = [line for line in lines if "epochs" in line], [line for line in lines if "metric" in line]
    experiments = {
        metric.pop("experiment"): metric | {"fit_seconds": fit["fit_seconds"], "epochs": fit["epochs"]}
        for fit, metric in zip(fits, metrics, strict=True)
    }
    assert tuple(experiments) == names, f"trained: {list(experiments)}, expected: {list(names)}"  # noqa: S101
    return experiments
