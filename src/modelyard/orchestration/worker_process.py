"""A process that is started once and calls one function after another for the process that started it.

It is spawned, because a process that has used TensorFlow must not be forked.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

from modelyard.core.processes import end_with_starter
from modelyard.orchestration.engine import Call, Ended, Message, TaskEvent

SPAWN = multiprocessing.get_context("spawn")
_starter: Connection | None = None  # of a worker process: where its messages go


def report(content: Any) -> None:
    """Send a message of the running task to the process that watches it; elsewhere nothing happens."""
    if _starter:
        _send(_starter, Message("", content))


class WorkerProcess:
    """One worker process as its starter sees it, and its current task."""

    def __init__(self, log: Path | None = None) -> None:
        """Start the process; what it prints is appended to a file, else it goes where this process prints."""
        self.connection, theirs = SPAWN.Pipe()
        self._process = SPAWN.Process(target=_serve, args=(theirs, log), daemon=True)
        with _interrupts_blocked():
            self._process.start()
        theirs.close()  # so that the end of the process is the end of the connection
        self._log, self._size = log, 0

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid or 0

    def begin(self, call: Call) -> None:
        """Call a function there."""
        with suppress(OSError):  # it died while idle: `events` returns the error
            self.connection.send(call)

    def events(self, key: str) -> Sequence[TaskEvent]:
        """Return what has happened to its task since the last look, under this key."""
        events: list[TaskEvent] = []
        try:
            while self.connection.poll():
                received = self.connection.recv()
                if isinstance(received, Message):
                    events.append(Message(key, received.content))
                else:
                    result, error, self._size = received
                    return [*events, Ended(key, result, error)]
        except (EOFError, OSError):
            self._process.join()
            return [*events, Ended(key, error=f"its process ended ({self._exit_text()})")]
        return events

    def is_reusable(self, max_bytes: float) -> bool:
        """Return whether it is alive and small enough for another task."""
        return self._process.is_alive() and self._size <= max_bytes

    def interrupt(self) -> None:
        """Ask the process to end."""
        self._process.terminate()

    def wait(self, seconds: float) -> None:
        """Wait until it ends, but no longer."""
        self._process.join(seconds)

    def kill(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
        self.connection.close()

    def _exit_text(self) -> str:
        code = self._process.exitcode or 0
        if code < 0:
            return f"{signal.Signals(-code).name}{', perhaps out of memory' if -code == signal.SIGKILL else ''}"
        said = ""
        if self._log and self._log.exists():  # it may have died before it opened it
            said = self._log.read_text(encoding="utf-8", errors="replace")
        return ": ".join((f"exit code {code}", *said.strip().splitlines()[-1:]))


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Within the block, processes are started that get no Ctrl-C, which they would report, until they ignore it."""
    resource_tracker.ensure_running()  # what starts it unblocks them
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(connection: Connection, log: Path | None) -> None:
    """Do calls until the process that started this one ends."""
    global _starter
    import psutil

    _starter = connection
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the starter, which then ends this process
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    signal.signal(signal.SIGTERM, _exit)
    end_with_starter()
    if log:
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for standard in (1, 2):
            os.dup2(file, standard)
    while True:
        try:
            call: Call = connection.recv()
        except (EOFError, OSError):  # the starter has ended
            return
        try:
            result, error = call.function(call.argument), ""
        except Exception as raised:  # any error of a task is the outcome of that task alone
            result, error = None, f"{type(raised).__name__}: {raised}"
        _send(connection, (result, error, psutil.Process().memory_info().rss))


def _send(connection: Connection, message: object) -> None:
    try:
        connection.send(message)
    except OSError:  # the starter has ended
        sys.exit()


def _exit(*_: object) -> NoReturn:
    sys.exit()
