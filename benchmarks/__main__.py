"""`python -m benchmarks [PART...]`: measure, and write results/ with a table and a picture."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import machine, picture, records, report
from benchmarks.parts import PARTS
from benchmarks.sizes import QUICK, Size
from modelyard.cli.interrupts import handle_termination_as_ctrl_c
from modelyard.core.errors import ModelyardError, explained

RESULTS = Path(__file__).parent / "results"


def main(
    parts: Annotated[list[str] | None, typer.Argument(help=f"Of: {', '.join(PARTS)}; none for all.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A few rows and epochs, into results/quick.")] = False,
    epochs_share: Annotated[
        float | None, typer.Option(min=0.01, max=1.0, help="Of the epochs of notebooks and rebuilds.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="BoundMetric anew what this commit has measured.")] = False,
) -> None:
    """BoundMetric what the last commit costs; what it has measured already is left alone."""
    handle_termination_as_ctrl_c()
    with explained():
        chosen = _known(parts or list(PARTS))
        if machine.is_changed():
            print("Files differ from the last commit: it is the commit that is measured.", flush=True)
        size = QUICK if quick else Size()
        size = replace(size, epochs_share=epochs_share or size.epochs_share)
        folder = RESULTS / "quick" if quick else RESULTS
        for name in chosen:
            _measure(name, size, folder, again)
            _tell(folder)


def _known(parts: list[str]) -> list[str]:
    for name in parts:
        if name not in PARTS:
            raise ModelyardError(f"no such part: {name}; allowed: {', '.join(PARTS)}.")
    return parts


def _measure(name: str, size: Size, folder: Path, again: bool) -> None:
    record = records.Record(folder / f"{name}.json", size, again)
    if record.is_complete:
        print(f"{name}: measured already", flush=True)
        return
    print(f"{name}: {PARTS[name].asks}", flush=True)
    began = time.monotonic()
    record.note_speed()
    for key, found in PARTS[name].measure(size, record.found.keys()):
        record.add(key, found)
        print(f"  {key}, {time.monotonic() - began:.0f} s", flush=True)
    record.note_speed()
    record.finish()


def _tell(folder: Path) -> None:
    kept = records.read(folder)
    found = {name: kept[name] for name in PARTS if name in kept}
    report.write(found, folder)
    picture.draw(found, folder / "overview.png")


if __name__ == "__main__":
    typer.run(main)
