"""Measures wall time, CPU time and peak memory of a command and all its descendant processes, and the busy cores."""

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

POLL_SECONDS = 0.25
MEMORY_POLL_SECONDS = 1.0  # reading smaps_rollup of a large process takes milliseconds
BUSY_SECONDS = 5.0
PROGRESS_SECONDS = 60.0
MEBI = 2**20


@dataclass(frozen=True)
class Usage:
    """Resources used by a command and all its descendant processes."""

    wall_seconds: float
    cpu_seconds: float
    peak_megabytes: float  # of all processes together; shared pages count once
    largest_process_megabytes: float
    busy_cores: tuple[float, ...]  # by everything on the machine: the mean of each BUSY_SECONDS
    own_megabytes: float = 0.0  # as peak_megabytes, without pages of files, which the system drops when it needs room


@dataclass
class _Tree:
    """The processes seen so far, each with its last known CPU time, and the peak memory."""

    seconds: dict[tuple[int, float], float] = field(default_factory=dict)
    peak: int = 0
    own: int = 0
    largest: int = 0
    memory_polled: float = 0.0

    def poll(self, root: int, now: float) -> None:
        processes = []
        with suppress(psutil.NoSuchProcess):
            top = psutil.Process(root)
            processes = [top, *top.children(recursive=True)]
        with_memory = now - self.memory_polled >= MEMORY_POLL_SECONDS
        self.memory_polled = now if with_memory else self.memory_polled
        sizes = []
        for process in processes:
            with suppress(psutil.Error, OSError):
                times = process.cpu_times()
                self.seconds[process.pid, process.create_time()] = times.user + times.system
                sizes += [_proportional_bytes(process.pid)] if with_memory else []
        self.peak = max(self.peak, sum(size for size, _ in sizes))
        self.own = max(self.own, sum(own for _, own in sizes))
        self.largest = max([self.largest, *(size for size, _ in sizes)])


@dataclass
class _BusyCores:
    """How many cores of the machine were busy, sampled since this was created."""

    samples: list[float] = field(default_factory=list)
    polled: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        psutil.cpu_percent(percpu=True)  # each call returns the means since the one before

    def poll(self, now: float) -> None:
        if now - self.polled >= BUSY_SECONDS:
            self.polled = now
            self.samples.append(round(sum(psutil.cpu_percent(percpu=True)) / 100, 2))


def run_measured(command: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path) -> Usage:
    """Run a command to its end, with its output in a log file, and measure it.

    CPU time is the kernel's rusage of the command or the sum of the last polled values, whichever is larger: rusage
    lacks processes whose parent does not wait for them. Memory is polled once a second.

    Raises:
        ModelyardError: the command failed; the message holds its last lines.
    """
    tree, busy, started = _Tree(), _BusyCores(), time.monotonic()
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(command, cwd=folder, env=dict(environment), stdout=file, stderr=subprocess.STDOUT)
    try:
        used = _watch(process, tree, busy, started, log)
        wall = time.monotonic() - started
    finally:
        _kill(process)
    if process.returncode:
        raise ModelyardError(f"{' '.join(command)} ended with {process.returncode}:\n{_last_lines(log, 20)}")
    accounted = used.ru_utime + used.ru_stime
    largest = max(tree.largest / MEBI, _rusage_peak(used))
    cpu, peak = max(accounted, sum(tree.seconds.values())), max(tree.peak / MEBI, largest)
    return Usage(wall, cpu, peak, largest, tuple(busy.samples), tree.own / MEBI)


def _watch(process: subprocess.Popen, tree: _Tree, busy: _BusyCores, started: float, log: Path) -> "os.struct_rusage":
    """Poll the process tree until its root has ended; returns the rusage of the root."""
    pidfd, last_progress = os.pidfd_open(process.pid), started
    try:
        while not select.select([pidfd], [], [], POLL_SECONDS)[0]:
            now = time.monotonic()
            tree.poll(process.pid, now)
            busy.poll(now)
            if now - last_progress >= PROGRESS_SECONDS:
                last_progress = now
                last_line = _last_lines(log, 1)[-100:]
                print(f"    {now - started:.0f} s, peak {tree.peak / MEBI:.0f} MiB; {last_line}", flush=True)
    finally:
        os.close(pidfd)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return used


def _rusage_peak(used: "os.struct_rusage") -> float:
    """Peak of the largest process in MiB; 0 if it did not exceed this process's own, from which the child started."""
    ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used.ru_maxrss / 1024 if used.ru_maxrss > ours else 0.0  # in KiB on Linux


def _kill(process: subprocess.Popen) -> None:
    """Stop the processes that are still running after an interrupt."""
    if process.returncode is None:
        children = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        psutil.wait_procs(children, timeout=10)
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        process.wait()


def _proportional_bytes(pid: int) -> tuple[int, int]:
    """Proportional set size of a process, and that without pages of files: shared pages are divided among processes."""
    lines = (line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines())
    sizes = {name: int(size) * 1024 for name, size, *_ in lines if name in ("Pss:", "Pss_Anon:")}
    return sizes.get("Pss:", 0), sizes.get("Pss_Anon:", 0)


def _last_lines(log: Path, count: int) -> str:
    """The last non-empty lines of a log, with each state of a progress bar as a line."""
    text = log.read_text(encoding="utf-8", errors="replace").replace("\r", "\n").replace("\x08", "")
    return "\n".join([line for line in text.splitlines() if line.strip()][-count:])
