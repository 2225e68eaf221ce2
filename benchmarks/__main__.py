"""Command line of the benchmarks: measures the chosen parts and writes tables and a plot into results/."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import machine, overview_plot, records, report
from benchmarks.parts import PARTS
from benchmarks.sizes import QUICK, Size
from modelyard.cli.interrupts import handle_termination_as_ctrl_c
from modelyard.core.errors import ModelyardError, exit_on_error

RESULTS = Path(__file__).parent / "results"


def main(
    parts: Annotated[
        list[str] | None, typer.Argument(help=f"Parts to measure: {', '.join(PARTS)}. Default: all.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Measure few samples and epochs; write to results/quick.")
    ] = False,
    epochs_share: Annotated[
        float | None, typer.Option(min=0.01, max=1.0, help="Share of the epochs of notebooks and rebuilds.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Measure again what was measured for this commit.")] = False,
) -> None:
    """Measure the last commit; parts that were measured for this commit are skipped."""
    handle_termination_as_ctrl_c()
    with exit_on_error():
        chosen = _checked(parts or list(PARTS))
        if machine.is_changed():
            print("Warning: there are uncommitted changes; the last commit is measured without them.", flush=True)
        size = QUICK if quick else Size()
        size = replace(size, epochs_share=epochs_share or size.epochs_share)
        folder = RESULTS / "quick" if quick else RESULTS
        for name in chosen:
            _measure(name, size, folder, again)
            _write_report(folder)


def _checked(parts: list[str]) -> list[str]:
    for name in parts:
        if name not in PARTS:
            raise ModelyardError(f"no such part: {name}; allowed: {', '.join(PARTS)}.")
    return parts


def _measure(name: str, size: Size, folder: Path, again: bool) -> None:
    record = records.Record(folder / f"{name}.json", size, again)
    if record.is_complete:
        print(f"{name}: already measured for this commit", flush=True)
        return
    print(f"{name}: {PARTS[name].question}", flush=True)
    began = time.monotonic()
    record.add_speed()
    for key, found in PARTS[name].measure(size, record.found.keys()):
        record.add(key, found)
        print(f"  {key}, {time.monotonic() - began:.0f} s", flush=True)
    record.add_speed()
    record.finish()


def _write_report(folder: Path) -> None:
    stored = records.read(folder)
    parts = {name: stored[name] for name in PARTS if name in stored}
    report.write(parts, folder)
    overview_plot.draw(parts, folder / "overview.png")


if __name__ == "__main__":
    typer.run(main)
