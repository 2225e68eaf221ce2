"""Clones of this project, and the environment of commands that are run in them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from support.paths import ROOT
from support.repositories import git


def clone_into(target: Path) -> Path:
    """What `clone` is, in a folder that is not there yet."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.splitlines()  # fmt: skip
    for name in listed:
        if (ROOT / name).is_file() and not name.startswith(("results/", "reports/")) and name != "dvc.lock":
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    git(target, "init", "-q")
    git(target, "add", "-A")
    git(target, "commit", "-qm", "clone")
    return target


def surroundings() -> dict[str, str]:
    """What `environment` is, for a fixture of a wider scope."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MODELYARD", "MLFLOW", "DVC"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return kept | {"PATH": path, "MODELYARD_TRACKING": "off", "MODELYARD_CACHE": "off"}
