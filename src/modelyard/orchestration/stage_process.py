"""The process of a stage: its cores, its start that no signal tears, its life, and its end."""

import logging
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress
from itertools import pairwise
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from modelyard.orchestration.lock_writer import record
from modelyard.orchestration.stage import StageState

BUILT_CODE, UNCHANGED_CODE = 0, 3
EXIT_STATES = {BUILT_CODE: StageState.BUILT, UNCHANGED_CODE: StageState.UNCHANGED}
FORK = multiprocessing.get_context("fork")  # DVC is imported once; this module starts no threads


class DeferredSignals:
    """Ctrl-C waits while a process is started: none is started without being noted, or stopped before it can tidy up.

    Blocking the signals would not do: another thread may take one, and it is the main thread that is interrupted.
    """

    def __enter__(self) -> "DeferredSignals":
        self._came = False
        heeded = {sign: signal.getsignal(sign) for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        self._heeded = {sign: handler for sign, handler in heeded.items() if callable(handler)}  # not what is ignored
        for sign in self._heeded:
            signal.signal(sign, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Heed signals again, and the one that came meanwhile: for the starter, and for the process that it started."""
        for sign, handler in self._heeded.items():
            signal.signal(sign, handler)
        if self._came:
            raise KeyboardInterrupt

    def _note(self, *_: object) -> None:
        self._came = True


def shares(jobs: int) -> list[frozenset[int]]:
    """The cores of each of `jobs` stages: their own, as far as there are enough.

    Left to themselves, some kernels keep two busy processes on one core for minutes while another idles.
    """
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < jobs:
        return [frozenset(cores)] * jobs
    bounds = [len(cores) * share // jobs for share in range(jobs + 1)]
    return [frozenset(cores[first:last]) for first, last in pairwise(bounds)]


def signal_groups(processes: Iterable[BaseProcess], sign: signal.Signals) -> None:
    """Send a signal to each process and to all that it started."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, sign)


def start(stage: Any, log: Path, cores: frozenset[int], patience: DeferredSignals) -> BaseProcess:
    """Start the process of DVC's own stage; it heeds signals as soon as it can tidy up."""
    process = FORK.Process(target=_reproduce, args=(stage, log, cores, patience))
    process.start()
    return process


def state_after(process: BaseProcess) -> StageState:
    """What became of the stage of a process that has ended."""
    return EXIT_STATES.get(process.exitcode, StageState.FAILED)


def _reproduce(stage: Any, log: Path, cores: frozenset[int], patience: DeferredSignals) -> None:
    """The life of a stage's process: all it prints goes to its log, its exit code tells what happened."""
    from dvc.repo import lock_repo

    os.setsid()  # a group of its own, to be stopped with all that its command started
    os.sched_setaffinity(0, cores)
    with log.open("w", encoding="utf-8") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    logging.getLogger("dvc").setLevel(logging.WARNING)  # its hints would hide what the command said last
    try:
        patience.end()
        with stage.repo as repo, lock_repo(repo), repo.scm_context():
            built = stage.reproduce()
            if built:
                record(stage)
    except BaseException as error:
        if not log.stat().st_size:  # the command did not speak for itself
            print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201
        raise SystemExit(1) from None
    raise SystemExit(BUILT_CODE if built else UNCHANGED_CODE)
