"""Each notebook as a plain Keras script in a process of its own, one after the other."""

import sys
from collections.abc import Collection, Iterator
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.parts.rebuild import adapted
from benchmarks.playground import ROOT, datasets_of, notes, playground, surroundings
from benchmarks.processes import measured
from benchmarks.sizes import NOTEBOOKS, Size


def measure(size: Size, done: Collection[str]) -> Iterator[tuple[str, Any]]:
    """Of each notebook: usage, and of each of its experiments the figure, the seconds of the fit, the epochs."""
    waiting = [name for name in size.notebooks if name not in done]
    if not waiting:
        return
    adapt, needed = adapted(size, "float32"), set()
    with playground(lambda params: (adapt(params), needed.update(datasets_of(params, size.experiments)))) as place:
        raw = place.fetch(needed)
        for name in waiting:
            yield name, _run(name, raw, size)


def _run(name: str, raw: Path, size: Size) -> dict[str, Any]:
    script = ROOT / "benchmarks" / "notebooks" / f"{name}.py"
    with TemporaryDirectory() as folder:
        noted = Path(folder) / "notes.jsonl"
        environment = surroundings() | {
            "BENCHMARK_NOTES": str(noted),
            "BENCHMARK_EPOCHS_SHARE": str(size.epochs_share),
            "BENCHMARK_ROWS": str(size.rows),
        }
        command = [sys.executable, str(script), str(raw)]
        usage = measured(command, Path(folder), environment, Path(folder) / "said.log")
        return asdict(usage) | {"experiments": by_experiment(notes(noted), NOTEBOOKS[name])}


def by_experiment(lines: list[dict[str, Any]], names: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Of each experiment the figure and the fit: a script notes each fit, then the figure of what it fitted."""
    fits, figures = [line for line in lines if "epochs" in line], [line for line in lines if "metric" in line]
    told = {
        figure.pop("experiment"): figure | {"fit_seconds": fit["fit_seconds"], "epochs": fit["epochs"]}
        for fit, figure in zip(fits, figures, strict=True)
    }
    assert tuple(told) == names, f"{list(told)} were trained, {list(names)} are to be"  # noqa: S101
    return told
