"""Work that is done in parallel, and what the engine that does it must be able to do.

A task is handed to an engine with `submit`; `watch` returns what it reports and how it ended; `cancel` stops it.
Nothing above this interface knows which engine does the work: `LocalEngine`, on this machine, or `ClusterEngine`.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

DIED = (-9, 128 + 9)  # exit codes of a command that was killed
KILLED = "its process was killed, perhaps out of memory"


@dataclass(frozen=True)
class Call:
    """A function of a module, or a partial of one, and its argument; both are pickled, and so is what it returns."""

    function: Callable[[Any], Any]
    argument: Any


@dataclass(frozen=True)
class Command:
    """What a stage runs.

    Attributes:
        script: for the POSIX shell; it succeeds with exit code 0.
        folder: where it runs.
        environment: all its environment variables.
        log: the file to which its output is appended.
    """

    script: str
    folder: Path
    environment: Mapping[str, str]
    log: Path


@dataclass(frozen=True)
class Task:
    """A piece of work.

    Attributes:
        key: its name; another task with this key is the same work.
        work: what is to be done.
        priority: of the tasks that wait, the one with the highest is started first, then the one that came first.
        needs: the files and folders that it reads and that are not in git, relative to the project's folder.
        makes: those that it writes.
        stays: whether it must run on this machine, because of what only this machine has.
    """

    key: str
    work: Call | Command
    priority: float = 0.0
    needs: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()
    stays: bool = False


@dataclass(frozen=True)
class Message:
    """What a function that runs has reported, with `report` of `worker_process`."""

    key: str
    content: Any


@dataclass(frozen=True)
class Ended:
    """The end of a task.

    Attributes:
        key: of the task.
        result: what its function returned, or the exit code of its command.
        error: why it has no result.
        machine: what `core.machine` says of the machine that ran it; None: this one.
        made: the MD5 of each path that its command has made, as it was when it ended; None: unknown, or what it was
            made from changed meanwhile.
    """

    key: str
    result: Any = None
    error: str = ""
    machine: Mapping[str, Any] | None = None
    made: Mapping[str, str] | None = None


TaskEvent = Message | Ended


@dataclass(frozen=True)
class EngineOptions:
    """What a person chooses: how many tasks run at once, and the cluster that runs them.

    Attributes:
        jobs: how many tasks are handed out at once; None: as many as the engine has room for.
        scheduler: the address of a cluster's scheduler, such as tls://scheduler:8786; None: this machine.
        insecure: whether the connection to another machine may be unencrypted.
        mixed: whether the processors may differ.
    """

    jobs: int | None = None
    scheduler: str | None = None
    insecure: bool = False
    mixed: bool = False


class Engine(Protocol):
    """Runs tasks.

    Attributes:
        slots: how many tasks it runs at once.
        local_slots: how many of the tasks that stay on this machine it runs beside these; 0: they are among these.
        capacity: how many tasks to hand out at once; more than `slots` where those that must wait can wait with it.
        shares_files: whether tasks find the files of this machine at their paths, also temporary ones. If not, they
            run in another checkout of the project, and read what they `need` there.
        shares_folder: whether they find at least those of the project's folder, at their relative paths.
    """

    local_slots: int
    capacity: int
    shares_files: bool
    shares_folder: bool

    @property
    def slots(self) -> int: ...  # noqa: D102 (see above; it may change)

    def submit(self, task: Task) -> None:
        """Run a task as soon as there is room."""

    def watch(self, seconds: float) -> Sequence[TaskEvent]:
        """Return what has happened, as soon as there is anything, and nothing after some seconds."""

    def taken(self) -> Collection[str]:
        """Return the keys of tasks that an earlier process has submitted and that are not lost with it."""

    def cancel(self) -> bool:
        """Stop all tasks; each can clean up first, within some seconds. Return False if they go on without us."""

    def close(self) -> None:
        """Stop all tasks, and end every process that was started."""


def run_all(engine: Engine, tasks: Iterable[Task], seconds: float) -> Generator[TaskEvent, None, None]:
    """Run tasks, and yield what each reports and its end; after some seconds none is handed out any more."""
    waiting, until = deque(sorted(tasks, key=lambda task: -task.priority)), time.monotonic() + seconds
    submitted: set[str] = set()
    try:
        while True:
            while waiting and len(submitted) < engine.capacity and time.monotonic() < until:
                submitted.add(waiting[0].key)
                engine.submit(waiting.popleft())
            if not submitted:
                break
            for event in engine.watch(math.inf):
                if isinstance(event, Ended):
                    submitted.remove(event.key)
                yield event
    finally:
        engine.cancel()
