"""Functions that a test lets the workers of a cluster call."""

import os
import time
from pathlib import Path

from modelyard.orchestration.worker_process import report

LONG = 300.0


def note(folder: Path) -> int:
    """Leave a file for each call, named after the process and the one that started it."""
    calls = len(list(folder.iterdir()))
    (folder / f"{os.getpid()}.{os.getppid()}").touch()
    return calls + 1


def wait_once(folder: Path) -> int:
    """Wait for ever in the first call, and return at once in the others."""
    calls = note(folder)
    report("called")
    if calls == 1:
        time.sleep(LONG)
    return calls


def wait_for(folder: Path) -> int:
    """Wait until somebody makes the file `go` beside the folder."""
    calls = note(folder)
    while not (folder.parent / "go").exists():
        time.sleep(0.1)
    return calls


def fill_memory(megabytes: int) -> int:
    """Use memory until it is taken away."""
    content = bytearray(os.urandom(1)) * (megabytes * 2**20)
    time.sleep(3.0)
    return len(content)
