"""The process of a command on this machine."""

import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress

from modelyard.orchestration.engine import Command, Ended

# Runs before the command, in a few milliseconds. Standard input is a pipe from the coordinator. A process in the
# background, no child of the command, waits for a line from there; if the pipe ends without one, the coordinator was
# killed, and all processes of the group are killed too. The command reads nothing, as in a process in the background.
WATCHED = """exec 3<&0 </dev/null
( { read -r _ <&3 || kill -KILL 0; } & )
exec 3<&-
"""


class StageProcess:
    """A command that runs on this machine: a group of processes that ends with this process, even by SIGKILL."""

    def __init__(self, command: Command) -> None:
        """Start the command."""
        with command.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                ["/bin/sh", "-c", WATCHED + command.script],
                cwd=command.folder,
                env=command.environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process that leads the group, and that all others descend from."""
        return self._process.pid

    def events(self, key: str) -> Sequence[Ended]:
        """Return the end of the command with its exit code, under this key; nothing while it runs."""
        code = self._process.poll()
        if code is None:
            return []
        self._end_watching()
        return [Ended(key, code)]

    def interrupt(self) -> None:
        """Ask all processes of the group to end, as Ctrl-C does."""
        self._signal(signal.SIGINT)

    def wait(self, seconds: float) -> None:
        """Wait until the command ends, but no longer."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)

    def kill(self) -> None:
        """Kill all processes of the group, also those that outlive the command."""
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._end_watching()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def _end_watching(self) -> None:
        assert self._process.stdin is not None  # noqa: S101 (for mypy)
        with suppress(BrokenPipeError):  # the watching process was killed
            self._process.stdin.write(b"\n")
            self._process.stdin.flush()
        with suppress(BrokenPipeError):
            self._process.stdin.close()


class DeferredSignals:
    """Defers Ctrl-C, SIGTERM and SIGHUP while a process is started, so that each one is registered and can be stopped.

    Blocking the signals is not enough: another thread may receive one, and Python interrupts the main thread. Other
    threads are never interrupted.
    """

    def __enter__(self) -> "DeferredSignals":
        self._received: int | None = None
        is_main = threading.current_thread() is threading.main_thread()
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if is_main else ()
        handlers = {number: signal.getsignal(number) for number in numbers}
        # An ignored signal, whose handler is a constant, stays ignored.
        self._handlers = {number: handler for number, handler in handlers.items() if callable(handler)}
        for number in self._handlers:
            signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if self._received is not None:
            self._handlers[signal.Signals(self._received)](self._received, None)

    def _note(self, number: int, _: object) -> None:
        self._received = number
