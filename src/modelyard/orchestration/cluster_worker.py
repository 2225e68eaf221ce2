"""What a Dask worker does with the tasks of `ClusterEngine`: it runs each in processes of its own machine.

A Dask worker has threads and cannot be forked, nor could a task in it be stopped. So each of its threads hands its task
to the engine of this machine, which starts processes, divides the cores among them, and ends them with the worker. The
worker runs in a checkout of the project, its current folder.
"""

import os
import pickle
import shutil
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from modelyard.core import machine
from modelyard.core.errors import ModelyardError
from modelyard.orchestration import shared_data
from modelyard.orchestration.checkout import Checkout, describe
from modelyard.orchestration.engine import DIED, KILLED, Command, Ended, Task, TaskEvent
from modelyard.orchestration.fork_server import running_server
from modelyard.orchestration.local_engine import LocalEngine

TOPIC = "modelyard"  # of the messages of tasks
POLL_SECONDS = 0.1
MEMORY_SECONDS = 1.0  # between looks for the memory; what was killed has freed its own by then
STOPPED = "it was stopped"
LOG_BYTES = 2**20  # of a command's log that come back


@dataclass(frozen=True)
class Order:
    """A task and what a worker must know to do it; it is sent as bytes, so that the scheduler imports nothing for it.

    Attributes:
        task: the task; the folder of a command is relative to the project's.
        coordinator: the checkout that hands it out.
        mixed: whether processors may differ.
        variables: the environment of a task, besides the worker's own.
        modules: what the fork server imports.
        hashes: of what the task needs and a checkout of its own must receive, by path.
    """

    task: Task
    coordinator: Checkout
    mixed: bool
    variables: Mapping[str, str]
    modules: tuple[str, ...]
    hashes: Mapping[str, str]

    def to_bytes(self) -> bytes:
        """Return it as bytes."""
        return pickle.dumps(self)


@dataclass(frozen=True)
class Done:
    """What a worker returns.

    Attributes:
        ended: the end of the task.
        place: the machine and folder of the worker.
        refusal: why the worker must not run it; it has done nothing then.
        log: the end of a command's log; None in a folder that is shared, which has all that the command has made.
    """

    ended: Ended
    place: str = ""
    refusal: str = ""
    log: bytes | None = None


class LostTaskError(Exception):
    """A task did not come to its end for a reason that may be another one elsewhere, so that Dask tries it again."""


def run(order: bytes) -> Done:
    """Do a task; called by Dask in one of the worker's threads.

    Raises:
        LostTaskError: its process was killed, or its data could not be moved.
    """
    from distributed import get_worker

    given: Order = pickle.loads(order)  # noqa: S301 (all that Dask sends is pickled)
    root, worker, key = Path.cwd(), get_worker(), given.task.key
    here = describe(root)
    if refusal := given.coordinator.refusal_of(here, given.mixed):
        return Done(Ended(key), here.place, refusal)
    is_shared = here.is_shared_by(given.coordinator)
    if not is_shared and set(given.task.needs) - given.hashes.keys():
        return Done(
            Ended(key), here.place, "has a checkout of its own, while the others share a folder: start it there"
        )
    task = _task_here(given, root)
    log = task.work.log if isinstance(task.work, Command) else None
    try:
        if not is_shared:
            _remove(root, task.makes)
            shared_data.receive(root, given.hashes)
        read = shared_data.stamps(root, task.needs)
        ended = _machine().run(
            task,
            lambda content: worker.log_event(TOPIC, [key, pickle.dumps(content)]),
            lambda: _is_wanted(worker, key),
            sends_log=not is_shared,
        )
        if ended.error == STOPPED:  # nobody wants the result, or Dask runs it again for who has submitted it again
            raise LostTaskError(STOPPED)
        if ended.result in DIED or "SIGKILL" in ended.error:
            raise LostTaskError(KILLED)
        if log and not ended.error and not ended.result:
            made = _made_here(given, root, read) if is_shared else shared_data.send(root, task.makes)
            ended = replace(ended, made=made)
    except (ModelyardError, OSError) as error:
        raise LostTaskError(f"{here.place}: {error}") from None
    return Done(replace(ended, machine=_description()), here.place, log=None if is_shared or not log else _end_of(log))


def describe_worker() -> tuple[Checkout, float]:
    """Return the checkout of this worker, and its clock."""
    return describe(Path.cwd()), time.time()


class Machine:
    """The engine of this machine, for all threads of a Dask worker."""

    def __init__(self, threads: int, memory: int) -> None:
        """Start nothing yet.

        Args:
            threads: how many tasks run at once.
            memory: the bytes that the worker may use with all that it has started; 0: no limit.
        """
        self._memory, self._memory_until = memory, 0.0
        self._engine, self._lock = LocalEngine(threads), threading.Lock()
        self._events: dict[str, deque[TaskEvent]] = defaultdict(deque)

    def run(
        self, task: Task, on_message: Callable[[Any], None], is_wanted: Callable[[], bool], sends_log: bool = True
    ) -> Ended:
        """Run a task, and return its end; any thread may look for what has happened to all of them.

        Args:
            task: the task.
            on_message: called with what it reports.
            is_wanted: whether it is to go on.
            sends_log: whether a command's log is reported as it grows; not in a folder that the coordinator has too.
        """
        if not is_wanted():
            return Ended(task.key, error=STOPPED)
        with self._lock:
            self._engine.submit(task)
        shown = 0
        try:
            while True:
                with self._lock:
                    for event in self._engine.watch(0.0):
                        self._events[event.key].append(event)
                while self._events[task.key]:
                    event = self._events[task.key].popleft()
                    if isinstance(event, Ended):
                        return event
                    on_message(event.content)
                if not is_wanted():
                    return Ended(task.key, error=STOPPED)
                if sends_log and isinstance(task.work, Command):
                    shown = _show_log(task.work.log, shown, on_message)
                self._limit_memory()
                time.sleep(POLL_SECONDS)
        finally:
            with self._lock:
                self._engine.cancel([task.key])
            self._events.pop(task.key, None)

    def _limit_memory(self) -> None:
        """Kill the largest child where all of them and this process exceed the limit: Dask limits its own one alone."""
        with self._lock:  # one thread looks for all of them
            if not self._memory or time.monotonic() < self._memory_until:
                return
            self._memory_until = time.monotonic() + MEMORY_SECONDS
        this, sizes = psutil.Process(), {}
        for process in [this, *this.children(recursive=True)]:
            with suppress(psutil.Error):
                sizes[process] = process.memory_full_info().pss  # forked processes share most of what they have
        is_exceeded = sum(sizes.values()) > self._memory
        sizes.pop(this, None)
        if is_exceeded and sizes:
            with suppress(psutil.Error):
                max(sizes, key=sizes.__getitem__).kill()


@cache
def _machine_once() -> Machine:
    import multiprocessing

    from distributed import get_worker

    # A nanny starts its worker as a daemon of multiprocessing, which may start no process; ours end with the worker.
    multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]
    worker = get_worker()
    return Machine(worker.state.nthreads, worker.memory_manager.memory_limit or 0)


_starting = threading.Lock()


def _machine() -> Machine:
    with _starting:
        return _machine_once()


@cache
def _description() -> dict[str, Any]:
    return machine.describe()


def _task_here(order: Order, root: Path) -> Task:
    """The task as it is to be run in this checkout."""
    os.environ.update(order.variables)
    command = order.task.work
    if not isinstance(command, Command):
        return order.task
    if order.modules:
        _start_fork_server(order.modules)
    environment = {**os.environ, **command.environment, "DVC_ROOT": str(root)}
    log = root / command.log
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(b"")
    return replace(order.task, work=Command(command.script, root / command.folder, environment, log))


@cache
def _start_fork_server_once(modules: tuple[str, ...]) -> None:
    """Start it in a thread that never ends: the kernel ends the server with the thread that has started it.

    Where it cannot be started, the log of the worker says why, and each script imports these modules itself.
    """
    is_decided = threading.Event()

    def serve() -> None:
        try:
            with running_server(modules):
                is_decided.set()
                threading.Event().wait()
        finally:
            is_decided.set()

    threading.Thread(target=serve, daemon=True).start()
    is_decided.wait()


def _start_fork_server(modules: tuple[str, ...]) -> None:
    with _starting:
        _start_fork_server_once(modules)


def _made_here(order: Order, root: Path, before: shared_data.Stamps) -> dict[str, str] | None:
    """The MD5 of each path that a command has made in the folder of its coordinator, which may be gone.

    Args:
        order: of the command.
        root: the folder.
        before: the stamps of what the command needs, before it ran; None is returned if it may have read another state.
    """
    if shared_data.stamps(root, order.task.needs) != before:
        return None
    if order.coordinator.refusal_of(describe(root), order.mixed):
        return None
    return shared_data.md5s(root, order.task.makes)


def _is_wanted(worker: Any, key: str) -> bool:
    """Whether nobody has cancelled a task: Dask then forgets it, but cannot stop the thread that runs it."""
    known = worker.state.tasks.get(key)
    return known is not None and known.state in ("executing", "long-running")


def _remove(root: Path, paths: Collection[str]) -> None:
    """Remove what an earlier task has made here, as DVC does where the task comes from."""
    for path in (root / each for each in paths):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _show_log(log: Path, shown: int, on_message: Callable[[Any], None]) -> int:
    """Send what was written into a log since the last look; return how much of it has been sent."""
    with log.open("rb") as file:
        file.seek(shown)
        if content := file.read(LOG_BYTES):
            on_message(content)
        return file.tell()


def _end_of(log: Path) -> bytes:
    return log.read_bytes()[-LOG_BYTES:]
