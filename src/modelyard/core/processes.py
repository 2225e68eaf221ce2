"""Processes: their cores and their end, their identity across machines and restarts, and whether one has ended."""

import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Collection
from contextlib import suppress
from multiprocessing.connection import wait

import psutil

CLOCK_SECONDS = 2.0  # by which the start time of one process may differ between two readings


def usable_cores() -> list[int]:
    """Return the numbers of the cores that this process may use; of all cores where the system does not restrict it."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def core_count() -> int:
    """Return how many cores this process may keep busy: those that it may use, or fewer by a container's quota."""
    from joblib import cpu_count

    count: int = cpu_count()
    return count


def divide_cores(processes: Collection[int]) -> None:
    """Divide the cores that this process may use among some processes, each with all that it started.

    Their threads stay as many as they are, so no result changes. With more processes than cores, each may use all.
    Elsewhere than on Linux the system divides them, which is only slower.

    Args:
        processes: their ids; those that have ended are ignored.
    """
    if not hasattr(os, "sched_setaffinity"):
        return
    cores = usable_cores()
    shares = len(processes) if len(processes) <= len(cores) else 1
    for number, process in enumerate(processes):
        share = number % shares
        own = cores[len(cores) * share // shares : len(cores) * (share + 1) // shares]
        with suppress(psutil.Error):
            leader = psutil.Process(process)
            for member in (leader, *leader.children(recursive=True)):
                restrict_to_cores(member.pid, own)


def restrict_to_cores(process: int, cores: Collection[int]) -> None:
    """Restrict all threads of a process to these cores; nothing happens if it has ended."""
    for _ in range(2):  # a thread that started during the first pass may have the cores of an earlier one
        with suppress(OSError):
            for thread in os.listdir(f"/proc/{process}/task"):  # noqa: PTH208 (ids, not paths)
                os.sched_setaffinity(int(thread), cores)


def end_with_starter() -> None:
    """Kill this process as soon as the process that started it by multiprocessing has ended, even by SIGKILL."""
    starter = multiprocessing.parent_process()
    if starter is None:
        return

    def watch() -> None:
        wait([starter.sentinel])
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def this_process() -> str:
    """Return this process as `host:pid:start`; the second of its start distinguishes it from later uses of the pid."""
    return f"{socket.gethostname()}:{os.getpid()}:{psutil.Process().create_time():.0f}"


def is_on_this_host(identity: str) -> bool:
    """Return whether a process of this identity was started on this machine."""
    return _split(identity)[0] == socket.gethostname()


def has_died(identity: str) -> bool:
    """Return whether a process of this machine has ended; False for other machines' and for an empty identity."""
    if not is_on_this_host(identity):
        return False
    _, pid, started = _split(identity)
    return has_ended(int(pid), float(started))


def has_ended(pid: int, seen: float) -> bool:
    """Return whether the process that had this id at some time has ended; its id may be another's by now.

    One that nobody has waited for keeps its id, but has ended too.
    """
    try:
        process = psutil.Process(pid)
        # A clock that was set back makes the same process look older, not younger.
        is_another = process.create_time() - seen > CLOCK_SECONDS
        return is_another or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _split(identity: str) -> list[str]:
    return identity.rsplit(" " if " " in identity else ":", 2)  # earlier MLflow runs have blanks
