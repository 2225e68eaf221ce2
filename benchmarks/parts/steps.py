"""Where a training step of fashion_cnn spends its time, on one core."""

import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.playground import ROOT, notes, surroundings
from benchmarks.processes import measured
from benchmarks.sizes import Size


def measure(size: Size, done: Collection[str]) -> Iterator[tuple[str, Any]]:
    """Seconds and GFLOP/s of each layer, of the matrix product, of each way to make a step."""
    if "step" in done:
        return
    with TemporaryDirectory() as folder:
        noted = Path(folder) / "notes.jsonl"
        environment = surroundings() | {"PYTHONPATH": str(ROOT / "src"), "BENCHMARK_NOTES": str(noted)}
        command = [sys.executable, str(ROOT / "benchmarks" / "profile_step.py"), str(size.steps)]
        measured(command, Path(folder), environment, Path(folder) / "said.log")
        yield "step", notes(noted)
