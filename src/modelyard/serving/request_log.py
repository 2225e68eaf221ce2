"""The log of a server's requests and answers: one JSON object in each line, in files of a bounded size."""

import json
import logging
from collections.abc import Mapping
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from modelyard.core.errors import ModelyardError

ENDING = ".jsonl"
BACKUPS = 1  # older files that are kept


class RequestLog:
    """A file of so many megabytes; a full one is renamed to `<name>.1`."""

    def __init__(self, file: Path, megabytes: float) -> None:
        """Open the file.

        Raises:
            ModelyardError: its name is not that of a log.
        """
        if file.suffix != ENDING:
            raise ModelyardError(
                f"--log {file}: `modelyard check` knows a log by its ending; give a name such as {file.stem}{ENDING}"
            )
        file.parent.mkdir(parents=True, exist_ok=True)
        self._most = int(megabytes * 1e6)
        self._log = logging.Logger("modelyard.requests", logging.INFO)
        self._log.addHandler(RotatingFileHandler(file, maxBytes=self._most, backupCount=BACKUPS, encoding="utf-8"))

    def write(self, record: Mapping[str, Any]) -> bool:
        """Add a line; return False if it alone is larger than the file may become, and left out."""
        line = json.dumps(record)  # in ASCII
        if len(line) + len("\n") >= self._most:
            return False
        self._log.info("%s", line)
        return True


def is_log(file: Path) -> bool:
    """Whether a file is a log, by its name."""
    return file.name.endswith((ENDING, f"{ENDING}.{BACKUPS}"))
