"""One run at a time in a checkout; who waits is shown for whom."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from modelyard.core.errors import ModelyardError
from modelyard.core.files import write_text

FOLDER = Path(".dvc/tmp/runner")
LOCK, HOLDER, RUNNING = (FOLDER / name for name in ("run.lock", "run.holder", "run.stages"))
POLL_SECONDS = 0.2


@contextmanager
def only_run(root: Path, wait_seconds: float | None, report: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of a checkout during the block, as soon as no other process holds it.

    Args:
        root: the folder of the checkout.
        wait_seconds: how long to wait; 0: not at all; None: until the other run has ended.
        report: called once, with the process that is waited for, when it starts, and its stages.

    Raises:
        ModelyardError: the other run did not end in time.
    """
    from filelock import FileLock, Timeout

    (root / FOLDER).mkdir(parents=True, exist_ok=True)
    lock = FileLock(root / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if wait_seconds == 0:
            raise ModelyardError(
                f"there is {_holder(root)}; nothing was done. Try again when it has ended, or end that process."
            ) from None
        report(f"Waiting for {_holder(root)}.")
        try:
            lock.acquire(timeout=-1 if wait_seconds is None else wait_seconds, poll_interval=POLL_SECONDS)
        except Timeout:
            raise ModelyardError(
                f"after {wait_seconds:g} s there is still {_holder(root)}; nothing was run. "
                "Wait longer (--wait), or end that process."
            ) from None
    try:
        (root / RUNNING).unlink(missing_ok=True)  # of a run that was killed
        write_text(root / HOLDER, f"process {os.getpid()}, running in this folder since {time.strftime('%H:%M:%S')}")
        yield
    finally:
        (root / RUNNING).unlink(missing_ok=True)
        lock.release()


def note_running(root: Path, stages: Iterable[str]) -> None:
    """Write down which stages run, for whoever waits."""
    write_text(root / RUNNING, ", ".join(stages))


def _holder(root: Path) -> str:
    """The process that holds the lock, since when, and its stages."""
    try:
        holder = (root / HOLDER).read_text(encoding="utf-8")
        stages = (root / RUNNING).read_text(encoding="utf-8") if (root / RUNNING).exists() else ""
    except OSError:
        return "another process, running in this folder"
    return f"{holder} ({stages})" if stages else holder
