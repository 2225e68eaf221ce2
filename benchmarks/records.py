"""Stores measurements as one JSON file per part, written after each measurement."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.sizes import Size
from modelyard.core.files import read_json, write_json


class Record:
    """The file of one part; continued if commit, machine, versions and size are the same, else started again."""

    def __init__(self, file: Path, size: Size, again: bool = False) -> None:
        self._file = file
        measured = {
            "commit": machine.commit(),
            "machine": machine.machine(),
            "versions": machine.versions(),
            "size": json.loads(json.dumps(asdict(size))),
        }
        stored = read_json(file) if file.exists() and not again else {}
        continues = all(stored.get(key) == value for key, value in measured.items())
        self._content: dict[str, Any] = (
            stored if continues else {**measured, "complete": False, "speed": [], "found": {}}
        )

    @property
    def is_complete(self) -> bool:
        """Whether every measurement of the part is done."""
        return self._content["complete"]

    @property
    def found(self) -> dict[str, Any]:
        """The measurements so far, by key."""
        return self._content["found"]

    def add(self, key: str, found: Any) -> None:
        """Store a measurement."""
        self.found[key] = found
        self._write()

    def add_speed(self) -> None:
        """Measure and store the current speed of the machine."""
        self._content["speed"].append(round(machine.speed(), 1))

    def finish(self) -> None:
        """Mark the part as complete, with the current time."""
        self._content |= {"complete": True, "ended": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")}
        self._write()

    def _write(self) -> None:
        write_json(self._file, self._content)


def read(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the content of each part's file, by part."""
    return {file.stem: read_json(file) for file in sorted(folder.glob("*.json"))}
