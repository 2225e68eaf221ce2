"""What was measured, a file of JSON for each part, written after each thing that was measured."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.sizes import Size
from modelyard.core.files import read_json, write_json


class Record:
    """The file of one part: begun anew, or gone on with where the same commit was measured in the same size."""

    def __init__(self, file: Path, size: Size, again: bool = False) -> None:
        self._file = file
        measured = {
            "commit": machine.commit(),
            "machine": machine.machine(),
            "versions": machine.versions(),
            "size": json.loads(json.dumps(asdict(size))),
        }
        kept = read_json(file) if file.exists() and not again else {}
        fits = all(kept.get(key) == value for key, value in measured.items())
        self._content: dict[str, Any] = kept if fits else {**measured, "complete": False, "speed": [], "found": {}}

    @property
    def is_complete(self) -> bool:
        """Whether all of the part is measured."""
        return self._content["complete"]

    @property
    def found(self) -> dict[str, Any]:
        """What was measured so far."""
        return self._content["found"]

    def add(self, key: str, found: Any) -> None:
        """Keep what was measured."""
        self.found[key] = found
        self._write()

    def note_speed(self) -> None:
        """Note how fast the machine is now."""
        self._content["speed"].append(round(machine.speed(), 1))

    def finish(self) -> None:
        """Note that all is measured, and when."""
        self._content |= {"complete": True, "ended": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")}
        self._write()

    def _write(self) -> None:
        write_json(self._file, self._content)


def read(folder: Path) -> dict[str, dict[str, Any]]:
    """The content of each part's file."""
    return {file.stem: read_json(file) for file in sorted(folder.glob("*.json"))}
