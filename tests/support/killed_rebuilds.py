"""Rebuilds that are killed at random moments, and what holds after each.

    PYTHONPATH=tests .venv/bin/python -m support.killed_rebuilds --kills 20 xor_mlp digits_mlp boston_linear

builds the experiments undisturbed in a clone; then builds them again and again in a second one, kills each rebuild by
SIGKILL, either the process `modelyard run` alone or its whole group, and lets the next one complete.
"""

import argparse
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from modelyard.orchestration import dvc_lock
from modelyard.orchestration.run_lock import RUNNING
from support.clones import clone_into
from support.mlflow_runs import runs_in
from support.pipelines import lock
from support.tracked_projects import TrackedProject
from support.waiting import wait_until

MARK = "KILLED_REBUILD"  # an environment variable, by which all processes of a rebuild are known
ORPHAN_SECONDS = 5.0
BUILT = ("data/inputs", "results")


class KilledRebuilds:
    """A project whose rebuilds are killed, and the files that an undisturbed rebuild makes."""

    def __init__(self, folder: Path, experiments: Sequence[str], seed: int) -> None:
        """Build the experiments undisturbed; `folder` is empty."""
        self._command = ["modelyard", "run", *experiments]
        self._random = random.Random(seed)  # noqa: S311
        undisturbed = TrackedProject(clone_into(folder / "undisturbed"))
        began = time.monotonic()
        undisturbed.run(*self._command)
        self.seconds = time.monotonic() - began
        self._expected = built_files(undisturbed.folder)
        self._project = TrackedProject(clone_into(folder / "killed"))
        self._project.environment[MARK] = str(folder)

    def kill_one(self) -> str:
        """Kill a rebuild of everything, check what is left, let the next one complete and compare; what happened."""
        folder = self._project.folder
        kill = self._random.choice([os.kill, os.killpg])
        rebuild = self._begin()
        with suppress(subprocess.TimeoutExpired):
            assert rebuild.wait(self._random.uniform(0, self.seconds)) == 0, "a rebuild failed"
            return self.kill_one()  # it was faster
        running = (folder / RUNNING).read_text() if (folder / RUNNING).exists() else ""
        kill(rebuild.pid, signal.SIGKILL)
        killed = time.monotonic()
        rebuild.wait()
        wait_until(lambda: not list(processes_with(MARK, self._project.environment[MARK])), ORPHAN_SECONDS)
        orphans = time.monotonic() - killed
        dvc_lock.read(folder)  # raises if it does not parse
        began = time.monotonic()
        self._project.run(*self._command)
        built = built_files(folder)
        differing = [name for name in sorted(built | self._expected) if built.get(name) != self._expected.get(name)]
        assert not differing, f"other bytes than those of the undisturbed rebuild: {differing}"
        whom = "process" if kill is os.kill else "group"
        return (
            f"{whom} killed while: {running or 'nothing ran'}; all its processes gone after {orphans:.2f} s; "
            f"the next run completed in {time.monotonic() - began:.1f} s with equal bytes"
        )

    def _begin(self) -> subprocess.Popen:
        """Delete what was built, and begin to build it again."""
        folder = self._project.folder
        for name in (*BUILT, "dvc.lock", ".dvc/cache", RUNNING):
            path = folder / name
            path.unlink() if path.is_file() else shutil.rmtree(path, ignore_errors=True)
        return subprocess.Popen(
            self._command, cwd=folder, env=self._project.environment, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def check_tracking(self) -> str:
        """Check the MLflow database, and return what is in it."""
        with sqlite3.connect(self._project.folder / "mlflow.db") as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        states = [run.info.status for run in runs_in(self._project.folder)]
        return ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))


def processes_with(variable: str, value: str) -> Iterator[psutil.Process]:
    """The running processes with this value of an environment variable."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(variable) == value and process.status() != psutil.STATUS_ZOMBIE:
                yield process


def built_files(folder: Path) -> dict[str, Any]:
    """The content of all that a rebuild makes in a project, by path, and of dvc.lock, whose stages have any order.

    Not of cards, which say how long a training took.
    """
    found = (file for name in BUILT for file in sorted((folder / name).rglob("*")))
    files = [file for file in found if file.is_file() and file.name != "card.md"]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files} | {"dvc.lock": lock(folder)}


def main() -> None:
    """Print a line for each kill."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiments", nargs="+")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rebuilds = KilledRebuilds(Path(folder), options.experiments, options.seed)
        print(f"An undisturbed rebuild took {rebuilds.seconds:.1f} s.", flush=True)  # noqa: T201
        for number in range(1, options.kills + 1):
            print(f"{number:3}. {rebuilds.kill_one()}", flush=True)  # noqa: T201
        print(f"MLflow's database is intact: {rebuilds.check_tracking()}.", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
