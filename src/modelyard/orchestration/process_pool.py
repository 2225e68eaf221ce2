"""Work shared among processes that are started once: each does one job after the other until none is left.

They are spawned, for a process that has used TensorFlow must not be forked. One that dies takes its own job with it and
no other; one that has grown large is replaced.
"""

import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

LARGEST = 2.5 * 2**30  # bytes of memory after which a process is replaced: trainings leave some behind
SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Outcome:
    """What became of a job: its result, or the reason why there is none."""

    job: Any
    result: Any = None
    error: str = ""


def outcomes(
    work: Callable[[Any], Any], jobs: Iterable[Any], count: int, seconds: float, largest: float = LARGEST
) -> Iterator[Outcome]:
    """Do `work` for each job in `count` processes, and tell of each as it ends; after `seconds` all are stopped.

    Jobs and results are pickled, `work` is a function of a module. A job that raises, or whose process dies, has an
    error; the rest goes on. Jobs that the end of time catches have no outcome.
    """
    waiting, ends = deque(jobs), time.monotonic() + seconds
    busy: dict[Connection, _Worker] = {}
    idle: list[_Worker] = []
    try:
        while waiting or busy:
            while waiting and len(busy) < count:
                worker = idle.pop() if idle else _Worker(work)
                worker.begin(waiting.popleft())
                busy[worker.connection] = worker
            ready = wait(busy, timeout=max(0.0, ends - time.monotonic()))
            if not ready:
                return
            for connection in ready:
                worker = busy.pop(connection)
                yield worker.end()
                idle += [worker] if worker.is_fit(largest) else []
    finally:
        for worker in (*busy.values(), *idle):
            worker.kill()


class _Worker:
    """One process, and the job that it is at."""

    def __init__(self, work: Callable[[Any], Any]) -> None:
        self.connection, theirs = SPAWN.Pipe()
        self._process = SPAWN.Process(target=_serve, args=(work, theirs), daemon=True)
        self._process.start()
        theirs.close()  # so that the end of the process is the end of the connection
        self._job: Any = None
        self._size = 0

    def begin(self, job: Any) -> None:
        self._job = job
        try:
            self.connection.send(job)
        except BrokenPipeError:  # died while idle: `end` will tell
            return

    def end(self) -> Outcome:
        try:
            result, error, self._size = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self._process.join()
            return Outcome(self._job, error=f"its process ended ({_how(self._process.exitcode)})")
        return Outcome(self._job, result, error)

    def is_fit(self, largest: float) -> bool:
        """Whether it lives and is small enough for another job; else it is ended."""
        fit = self._process.is_alive() and self._size <= largest
        if not fit:
            self.kill()
        return fit

    def kill(self) -> None:
        self._process.kill()
        self._process.join()
        self.connection.close()


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        out_of_memory = ", perhaps for want of memory" if -code == signal.SIGKILL else ""
        return f"{signal.Signals(-code).name}{out_of_memory}"
    return f"exit code {code}"


def _serve(work: Callable[[Any], Any], connection: Connection) -> None:
    """The life of a process: it ends when its starter does."""
    import psutil

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the starter, who then ends this process
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        try:
            result, error = work(job), ""
        except Exception as raised:  # whatever a job may raise is that job's own misfortune
            result, error = None, f"{type(raised).__name__}: {raised}"
        connection.send((result, error, psutil.Process(os.getpid()).memory_info().rss))
