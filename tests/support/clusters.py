"""A Dask cluster on loopback: a scheduler, and workers in checkouts of their own."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from support.waiting import wait_until

START_SECONDS = 300.0  # generous, for a loaded machine
DASK = [sys.executable, "-P", "-m", "dask"]


class Cluster:
    """Processes of a cluster; their output is in the folder."""

    def __init__(self, folder: Path, environment: Mapping[str, str], protocol: str = "tcp") -> None:
        self._folder, self._protocol = folder, protocol
        path = [str(Path(__file__).parents[1]), *filter(None, [environment.get("PYTHONPATH")])]  # tasks of `support`
        self._environment = {**environment, "PYTHONPATH": os.pathsep.join(path), "PYTHONFAULTHANDLER": "1"}
        self._workers: dict[str, tuple[subprocess.Popen, tuple[Path, tuple[str, ...], dict[str, str]]]] = {}
        self.address = ""

    def start_scheduler(self) -> None:
        options = [
            "--protocol",
            self._protocol,
            "--host",
            "127.0.0.1",
            "--port",
            self.address.rpartition(":")[2] or "0",
            "--no-dashboard",
        ]
        self.scheduler = self._start("scheduler", self._folder, *options)
        self.address = self._said("scheduler", r"Scheduler at:\s*(\w+://\S+)")

    def start_worker(self, checkout: Path, name: str, *options: str, **variables: str) -> None:
        """Start a worker with one thread in a checkout, and wait until it has joined."""
        local = ["--local-directory", str(self._folder / f"{name}.local"), "--nthreads", "1", "--no-dashboard"]
        process = self._start("worker", checkout, self.address, "--name", name, *local, *options, log=name, **variables)
        self._workers[name] = process, (checkout, options, variables)
        self._said(name, r"(Registered to:)")

    @property
    def processes(self) -> dict[str, subprocess.Popen]:
        """Those of the workers, by name."""
        return {name: process for name, (process, _) in self._workers.items()}

    def stop_workers(self, *names: str) -> None:
        for name in names:
            kill_tree(self._workers[name][0])

    def restart_workers(self, *names: str) -> None:
        """Start these again, or the first two, where they have ended."""
        for name in names or list(self._workers)[:2]:
            process, (checkout, options, variables) = self._workers[name]
            if process.poll() is not None:
                self.start_worker(checkout, name, *options, **variables)

    def restart(self) -> None:
        """Start the scheduler again at its address, and the first two workers."""
        self.stop_workers(*self._workers)
        self.start_scheduler()
        self.restart_workers()

    def abort_workers(self) -> str:
        """End the workers of a test that hangs, and their stages; returns the ends of their logs, with stacks."""
        logs = []
        for name, (process, (checkout, _, _)) in self._workers.items():
            _signal(reversed(_tree(process)), signal.SIGABRT)  # PYTHONFAULTHANDLER; a worker would end its stages
            process.wait()
            logs += [self._folder / f"{name}.log", *checkout.glob(".dvc/tmp/runner/logs/*.log")]
        return "\n".join(f"{log}:\n{log.read_text(errors='replace')[-10_000:]}" for log in logs)

    def close(self) -> None:
        self.stop_workers(*self._workers)
        kill_tree(self.scheduler)

    def log(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text(errors="replace")

    def _start(self, kind: str, cwd: Path, *options: str, log: str = "", **variables: str) -> subprocess.Popen:
        with (self._folder / f"{log or kind}.log").open("wb") as output:
            return subprocess.Popen(
                [*DASK, kind, *options], cwd=cwd, env=self._environment | variables, stdout=output, stderr=output
            )

    def _said(self, name: str, pattern: str) -> str:
        found: list[str] = []

        def look() -> bool:
            found[:] = re.findall(pattern, self.log(name))
            return bool(found)

        wait_until(look, START_SECONDS)
        return found[-1]


@contextmanager
def cluster(folder: Path, environment: Mapping[str, str] = os.environ, protocol: str = "tcp") -> Iterator[Cluster]:
    """A scheduler; workers are started by the test, and all end after the block."""
    folder.mkdir(parents=True, exist_ok=True)
    started = Cluster(folder, environment, protocol)
    try:
        started.start_scheduler()
        yield started
    finally:
        started.close()


def kill_tree(process: subprocess.Popen) -> None:
    """Kill a process and all that it has started, with a signal that nothing can catch."""
    _signal(_tree(process), signal.SIGKILL)
    process.wait()


def _tree(process: subprocess.Popen) -> list[psutil.Process]:
    """A process and all that it has started; nothing where it has ended."""
    with suppress(psutil.NoSuchProcess):
        return [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    return []


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for each in processes:
        with suppress(psutil.NoSuchProcess):
            each.send_signal(number)
