"""Runs a command and tells what it took: wall time, CPU time and memory of it and of all that it started."""

import os
import resource
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from modelyard.core.errors import ModelyardError

LOOK_SECONDS = 0.25  # between two looks at the processes
SECONDS_A_MEMORY_LOOK = 1.0  # adding up the pages of a gigabyte takes milliseconds
TOLD_EVERY = 60.0
MEBI = 2**20


@dataclass(frozen=True)
class Usage:
    """What a command and all its descendants took."""

    wall_seconds: float
    cpu_seconds: float
    peak_megabytes: float  # of all processes together, a page shared by several counted once
    largest_process_megabytes: float


@dataclass
class _Tree:
    """The processes seen so far, each with its last known CPU time."""

    seconds: dict[tuple[int, float], float] = field(default_factory=dict)
    peak: int = 0
    largest: int = 0
    memory_seen: float = 0.0

    def look(self, root: int, now: float) -> None:
        processes = []
        with suppress(psutil.NoSuchProcess):
            top = psutil.Process(root)
            processes = [top, *top.children(recursive=True)]
        with_memory = now - self.memory_seen >= SECONDS_A_MEMORY_LOOK
        self.memory_seen = now if with_memory else self.memory_seen
        held = []
        for process in processes:
            with suppress(psutil.Error, OSError):
                times = process.cpu_times()
                self.seconds[process.pid, process.create_time()] = times.user + times.system
                held += [_proportional_bytes(process.pid)] if with_memory else []
        self.peak = max(self.peak, sum(held))
        self.largest = max([self.largest, *held])


def measured(command: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path) -> Usage:
    """Run a command to its end; what it says goes to a file.

    CPU time is what the kernel accounts to the command, or what was last seen of each process if that is more: the
    kernel forgets those whose parent does not wait for them. Memory is looked at once a second.

    Raises:
        ModelyardError: the command failed; with its last lines.
    """
    tree, began = _Tree(), time.monotonic()
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(command, cwd=folder, env=dict(environment), stdout=file, stderr=subprocess.STDOUT)
    try:
        used = _watch(process, tree, began, log)
        wall = time.monotonic() - began
    finally:
        _kill(process)
    if process.returncode:
        raise ModelyardError(f"{' '.join(command)} ended with {process.returncode}:\n{_last_lines(log, 20)}")
    accounted = used.ru_utime + used.ru_stime
    largest = max(tree.largest / MEBI, _kernels_peak(used))
    return Usage(wall, max(accounted, sum(tree.seconds.values())), max(tree.peak / MEBI, largest), largest)


def _watch(process: subprocess.Popen, tree: _Tree, began: float, log: Path) -> "os.struct_rusage":
    """Look at the tree until its root has ended; returns what the kernel accounts to it."""
    ended, told = os.pidfd_open(process.pid), began
    try:
        while not select.select([ended], [], [], LOOK_SECONDS)[0]:
            now = time.monotonic()
            tree.look(process.pid, now)
            if now - told >= TOLD_EVERY:
                told = now
                said = _last_lines(log, 1)[-100:]
                print(f"    {now - began:.0f} s, {tree.peak / MEBI:.0f} MiB so far; {said}", flush=True)
    finally:
        os.close(ended)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return used


def _kernels_peak(used: "os.struct_rusage") -> float:
    """The largest process's peak in megabytes; 0 where it was never above ours, with which its own began."""
    ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used.ru_maxrss / 1024 if used.ru_maxrss > ours else 0.0  # Linux tells kibibytes


def _kill(process: subprocess.Popen) -> None:
    """End what an interrupt left running."""
    if process.returncode is None:
        left = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        psutil.wait_procs(left, timeout=10)
        for each in left:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        process.wait()


def _proportional_bytes(pid: int) -> int:
    """A process's share of the memory that it sees: pages used by several are divided among them."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _last_lines(log: Path, count: int) -> str:
    """The end of a log; a progress bar is many lines."""
    text = log.read_text(encoding="utf-8", errors="replace").replace("\r", "\n").replace("\x08", "")
    return "\n".join([line for line in text.splitlines() if line.strip()][-count:])
