"""A pool of processes that are started once; each runs one job after another.

They are spawned, because a process that has used TensorFlow must not be forked. If one dies, only its own job fails;
one that has grown large is replaced. Not concurrent.futures, which fails all jobs when a process dies, nor
multiprocessing.Pool, which then waits for the lost job forever.
"""

import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, cast

from modelyard.core.processes import divide_cores, end_with_starter

MAX_BYTES = 2.5 * 2**30  # of memory, after which a process is replaced: trainings do not free all of it
SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Outcome:
    """The result of a job, or the reason why it has none."""

    job: Any
    result: Any = None
    error: str = ""


def run_in_pool(
    work: Callable[[Any], Any], jobs: Iterable[Any], count: int, seconds: float, max_bytes: float = MAX_BYTES
) -> Iterator[Outcome]:
    """Call `work` for each job in `count` processes, and yield each outcome as its job ends.

    Args:
        work: a function of a module.
        jobs: its arguments; jobs and results are pickled. A job that raises, or whose process dies, has an error.
        count: the number of processes.
        seconds: the time after which all are stopped; jobs that still run have no outcome.
        max_bytes: the memory after which a process is replaced.
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
            divide_cores([worker.pid for worker in busy.values() if worker.pid])
            ready = cast(list[Connection], wait(busy, timeout=max(0.0, ends - time.monotonic())))
            if not ready:
                return
            for connection in ready:
                worker = busy.pop(connection)
                yield worker.end()
                idle += [worker] if worker.is_reusable(max_bytes) else []
    finally:
        for worker in (*busy.values(), *idle):
            worker.kill()


class _Worker:
    """One process and its current job."""

    def __init__(self, work: Callable[[Any], Any]) -> None:
        self.connection, theirs = SPAWN.Pipe()
        self._process = SPAWN.Process(target=_serve, args=(work, theirs), daemon=True)
        self._process.start()
        theirs.close()  # so that the end of the process is the end of the connection
        self._job: Any = None
        self._size = 0

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def begin(self, job: Any) -> None:
        self._job = job
        try:
            self.connection.send(job)
        except BrokenPipeError:  # it died while idle: `end` returns the error
            return

    def end(self) -> Outcome:
        try:
            result, error, self._size = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self._process.join()
            return Outcome(self._job, error=f"its process ended ({_exit_text(self._process.exitcode)})")
        return Outcome(self._job, result, error)

    def is_reusable(self, max_bytes: float) -> bool:
        """Return whether it is alive and small enough for another job, and end it otherwise."""
        reusable = self._process.is_alive() and self._size <= max_bytes
        if not reusable:
            self.kill()
        return reusable

    def kill(self) -> None:
        self._process.kill()
        self._process.join()
        self.connection.close()


def _exit_text(code: int | None) -> str:
    if code is not None and code < 0:
        out_of_memory = ", perhaps out of memory" if -code == signal.SIGKILL else ""
        return f"{signal.Signals(-code).name}{out_of_memory}"
    return f"exit code {code}"


def _serve(work: Callable[[Any], Any], connection: Connection) -> None:
    """Do jobs until the process that started this one ends."""
    import psutil

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the starter, which then ends this process
    end_with_starter()
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        try:
            result, error = work(job), ""
        except Exception as raised:  # any error of a job is the outcome of that job alone
            result, error = None, f"{type(raised).__name__}: {raised}"
        connection.send((result, error, psutil.Process(os.getpid()).memory_info().rss))
