"""Times the layers and training steps of fashion_cnn on one core."""

import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.processes import run_measured
from benchmarks.project_clone import ROOT, command_environment, read_json_lines
from benchmarks.sizes import Size


def measure(size: Size, done: Collection[str]) -> Iterator[tuple[str, Any]]:
    """Seconds and GFLOP/s of each layer and of a matrix product; seconds of a step with each optimizer."""
    if "step" in done:
        return
    with TemporaryDirectory() as folder:
        records_file = Path(folder) / "benchmark.jsonl"
        environment = command_environment() | {"PYTHONPATH": str(ROOT / "src"), "BENCHMARK_LOG": str(records_file)}
        command = [sys.executable, str(ROOT / "benchmarks" / "profile_step.py"), str(size.steps)]
        run_measured(command, Path(folder), environment, Path(folder) / "output.log")
        yield "step", read_json_lines(records_file)
