"""The process of a stage: a start that no signal interrupts, and its end."""

import logging
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from modelyard.core.processes import end_with_starter
from modelyard.orchestration.lock_writer import write_entry
from modelyard.orchestration.stage import StageState

BUILT_CODE, UNCHANGED_CODE = 0, 3
EXIT_STATES: dict[int | None, StageState] = {BUILT_CODE: StageState.BUILT, UNCHANGED_CODE: StageState.UNCHANGED}
FORK = multiprocessing.get_context("fork")  # DVC is imported once; this module starts no threads


class DeferredSignals:
    """Defers Ctrl-C while a process is started, so that each one is registered, and can clean up when it is stopped.

    Blocking the signals is not enough: another thread may receive one, and Python interrupts the main thread.
    """

    def __enter__(self) -> "DeferredSignals":
        self._received = False
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        # An ignored signal, whose handler is a constant, stays ignored.
        self._handlers = {number: handler for number, handler in handlers.items() if callable(handler)}
        for number in self._handlers:
            signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Restore the handlers and raise the deferred interrupt, in the starter and in the process that it started."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if self._received:
            raise KeyboardInterrupt

    def _note(self, *_: object) -> None:
        self._received = True


def signal_groups(processes: Iterable[BaseProcess], number: signal.Signals) -> None:
    """Send a signal to each process and to all that it started."""
    for process in processes:
        if process.pid is not None:  # it was started
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)


def start(stage: Any, log: Path, deferred: DeferredSignals) -> BaseProcess:
    """Start the process of DVC's own stage; it handles signals as soon as it can clean up."""
    process = FORK.Process(target=_reproduce, args=(stage, log, deferred))
    process.start()
    return process


def state_after(process: BaseProcess) -> StageState:
    """Return the state of the stage whose process has ended."""
    return EXIT_STATES.get(process.exitcode, StageState.FAILED)


def _reproduce(stage: Any, log: Path, deferred: DeferredSignals) -> None:
    """Run a stage in its own process: the output goes to its log, the exit code is one of EXIT_STATES."""
    from dvc.repo import lock_repo

    os.setsid()  # a group of its own, to be stopped with all that its command started
    end_with_starter(group=True)
    with log.open("w", encoding="utf-8") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    logging.getLogger("dvc").setLevel(logging.WARNING)  # its hints would hide the last lines of the command
    try:
        deferred.end()
        with stage.repo as repo, lock_repo(repo), repo.scm_context():
            built = stage.reproduce()
            if built:
                write_entry(stage)
    except BaseException as error:
        if not log.stat().st_size:  # the command printed nothing itself
            print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201
        raise SystemExit(1) from None
    raise SystemExit(BUILT_CODE if built else UNCHANGED_CODE)
