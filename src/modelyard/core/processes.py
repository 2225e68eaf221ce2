"""The identity of a process across machines and restarts, and whether that process has ended."""

import os
import socket

import psutil

CLOCK_SECONDS = 2.0  # by which the start time of one process may differ between two readings


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
    try:
        process = psutil.Process(int(pid))
        is_another = abs(process.create_time() - float(started)) > CLOCK_SECONDS
        return is_another or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _split(identity: str) -> list[str]:
    return identity.rsplit(" " if " " in identity else ":", 2)  # earlier MLflow runs have blanks
