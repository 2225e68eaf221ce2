"""A project whose commands run in processes of their own and log to its own store."""

import os
import subprocess
from pathlib import Path
from typing import Any

from mlflow.entities import Run

from support.clones import surroundings
from support.mlflow_runs import runs_by_name, store_of
from support.pipelines import lock
from support.servers import BOUND


class TrackedProject:
    """A folder whose commands import the package from its `src`, if it has one, and log to its `mlflow.db`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = store_of(folder)
        path = [str(folder / "src"), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        self.environment = surroundings() | {"MODELYARD_TRACKING": "on", "PYTHONPATH": os.pathsep.join(path)}

    def run(self, *command: str) -> str:
        """The output of a command that must succeed without a warning."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment | {"COLUMNS": "300"},
            capture_output=True, text=True, timeout=BOUND,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
        assert "warning: " not in done.stderr, done.stderr
        return done.stdout

    def runs(self) -> dict[str, Run]:
        """The runs of its store by name."""
        return runs_by_name(self.folder)

    def outputs(self, stage: str) -> dict[str, str]:
        """The MD5 of each output of a stage in dvc.lock, by path."""
        entry: Any = lock(self.folder)["stages"][stage]
        return {out["path"]: out["md5"] for out in entry["outs"]}
