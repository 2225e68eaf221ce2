"""The log of a server's requests and answers: one JSON object in each line, in files of a bounded size."""

import json
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, TextIO

from modelyard.core.errors import ModelyardError

ENDING = ".jsonl"
BACKUPS = 1  # older files that are kept


class RequestLog:
    """A file of so many megabytes, for one process; a full one is renamed to `<name>.1`."""

    def __init__(self, file: Path, megabytes: float) -> None:
        """Open the file.

        Raises:
            ModelyardError: its name is not that of a log, or another process logs to it.
        """
        from filelock import FileLock, Timeout

        if file.suffix != ENDING:
            raise ModelyardError(
                f"--log {file}: `modelyard check` knows a log by its ending; give a name such as {file.stem}{ENDING}"
            )
        file.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(file.with_name(f".{file.name}.lock"))  # two would rename each other's file away
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise ModelyardError(f"--log {file}: another server logs to it; give each a file of its own") from None
        self._most = int(megabytes * 1e6)
        self._log = logging.Logger("modelyard.requests", logging.INFO)
        self._log.addHandler(_WholeLines(file, maxBytes=self._most, backupCount=BACKUPS, encoding="utf-8"))
        self._fails = False

    def write(self, record: Mapping[str, Any]) -> bool:
        """Add a line; return False if it is left out, as too large for the file or because it cannot be written."""
        line = json.dumps(record)  # in ASCII
        if len(line) + len("\n") >= self._most:
            return False
        try:
            self._log.info("%s", line)
        except OSError as error:
            if not self._fails:  # once, until it can be written again
                logging.getLogger("modelyard.serving").warning("requests are not logged: %s", error)
            self._fails = True
            return False
        self._fails = False
        return True


class _WholeLines(RotatingFileHandler):
    """Adds a whole line or raises OSError; `logging` would print the error and the line, an input, and go on."""

    def emit(self, record: logging.LogRecord) -> None:
        if self.stream and not _is_in_place(self.stream, Path(self.baseFilename)):
            self.close()  # the next line makes a new file
        if self.shouldRollover(record):
            self.doRollover()
        self.stream = self.stream or self._open()
        size = os.fstat(self.stream.fileno()).st_size
        try:
            self.stream.write(self.format(record) + self.terminator)
            self.flush()
        except OSError:
            with suppress(OSError):
                self.close()  # drops what it holds; the next line opens the file again
            with suppress(OSError):
                os.truncate(self.baseFilename, size)
            raise


def _is_in_place(stream: TextIO, file: Path) -> bool:
    """Whether an open file still has its name: it may have been deleted, or another put in its place."""
    try:
        return os.path.samestat(file.stat(), os.fstat(stream.fileno()))
    except FileNotFoundError:
        return False


def is_log(file: Path) -> bool:
    """Whether a file is a log, by its name."""
    return file.name.endswith((ENDING, f"{ENDING}.{BACKUPS}"))
