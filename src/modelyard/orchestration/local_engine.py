"""Runs tasks in processes of this machine; all of them end with this process, even by SIGKILL.

Functions are called in worker processes, which are started once. If one dies, only its own task fails; one that has
grown large is replaced. Not concurrent.futures, which fails all tasks when a process dies, nor multiprocessing.Pool,
which then waits for the lost task forever, nor a local Dask cluster, which takes seconds to start (measured by
`benchmarks/engines.py`).
"""

import time
from collections.abc import Collection, Sequence
from multiprocessing.connection import wait
from pathlib import Path

from modelyard.core.processes import divide_cores
from modelyard.orchestration.engine import Call, Ended, Task, TaskEvent
from modelyard.orchestration.stage_process import DeferredSignals, StageProcess
from modelyard.orchestration.worker_process import WorkerProcess

MAX_BYTES = 2.5 * 2**30  # of memory, after which a worker process is replaced: trainings do not free all of it
POLL_SECONDS = 0.02  # between looks for commands that have ended
LONGEST_WAIT = 3600.0  # seconds; the system has a limit of some weeks
STOP_SECONDS = 5.0  # after which an interrupted task is killed


class LocalEngine:
    """Runs some tasks at a time, and divides the cores among them."""

    shares_files = shares_folder = True
    local_slots = 0

    def __init__(self, jobs: int, max_bytes: float = MAX_BYTES, log: Path | None = None) -> None:
        """Start nothing yet.

        Args:
            jobs: how many tasks run at once.
            max_bytes: the memory after which a worker process is replaced.
            log: a file for what worker processes print.
        """
        self.slots = self.capacity = jobs
        self._max_bytes, self._log = max_bytes, log
        self._waiting: list[Task] = []
        self._not_started: list[Ended] = []
        self._running: dict[str, StageProcess | WorkerProcess] = {}
        self._idle: list[WorkerProcess] = []
        self._divided: list[int] = []  # the processes among which the cores are divided

    def submit(self, task: Task) -> None:
        """Run a task as soon as fewer than `jobs` do."""
        self._waiting.append(task)
        self._waiting.sort(key=lambda each: -each.priority)
        self._start_waiting()

    def watch(self, seconds: float) -> Sequence[TaskEvent]:
        """Return what has happened, as soon as there is anything, and nothing after some seconds."""
        until = time.monotonic() + seconds
        while not (events := self._look()) and (left := until - time.monotonic()) > 0:
            workers = [each.connection for each in self._running.values() if isinstance(each, WorkerProcess)]
            wait(workers, min(left, LONGEST_WAIT if len(workers) == len(self._running) else POLL_SECONDS))
        self._start_waiting()
        return events

    def taken(self) -> Collection[str]:
        """Return nothing: tasks of this machine end with the process that has submitted them."""
        return ()

    def cancel(self, keys: Collection[str] | None = None) -> bool:
        """Interrupt tasks, None: all, so that they can clean up; then kill what is left of their processes."""
        stopped = [key for key in self._running if keys is None or key in keys]
        self._waiting = [] if keys is None else [task for task in self._waiting if task.key not in keys]
        self._not_started = [] if keys is None else [each for each in self._not_started if each.key not in keys]
        try:
            for key in stopped:
                self._running[key].interrupt()
            until = time.monotonic() + STOP_SECONDS
            for key in stopped:
                self._running[key].wait(max(0.0, until - time.monotonic()))
        finally:  # also after a second Ctrl-C
            for key in stopped:
                self._running.pop(key).kill()
        return True

    def close(self) -> None:
        """Stop all tasks, and end the worker processes."""
        try:
            self.cancel()
        finally:
            while self._idle:
                self._idle.pop().kill()

    def _start_waiting(self) -> None:
        while self._waiting and len(self._running) < self.slots:
            task = self._waiting.pop(0)
            try:
                with DeferredSignals():
                    self._start(task)
            except OSError as error:  # its folder is missing, or there are too many processes or open files
                self._not_started.append(Ended(task.key, error=f"it could not be started: {error}"))
        processes = [each.pid for each in self._running.values()]
        if processes != self._divided:
            divide_cores(processes)
            self._divided = processes

    def _start(self, task: Task) -> None:
        if isinstance(task.work, Call):
            self._running[task.key] = worker = self._take_idle() or WorkerProcess(self._log)
            worker.begin(task.work)
        else:
            self._running[task.key] = StageProcess(task.work)

    def _take_idle(self) -> WorkerProcess | None:
        """Take a worker process that has nothing to do; one may have been killed since its last task."""
        while self._idle:
            worker = self._idle.pop()
            if worker.is_reusable(self._max_bytes):
                return worker
            worker.kill()
        return None

    def _look(self) -> list[TaskEvent]:
        events = [event for key, process in self._running.items() for event in process.events(key)]
        for event in events:
            if isinstance(event, Ended):
                self._release(self._running.pop(event.key))
        failed, self._not_started = self._not_started, []
        return [*failed, *events]

    def _release(self, process: StageProcess | WorkerProcess) -> None:
        if isinstance(process, WorkerProcess):
            if process.is_reusable(self._max_bytes):
                self._idle.append(process)
            else:
                process.kill()
