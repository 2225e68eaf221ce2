"""Clones of this project, and the environment of commands that are run in them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from support.paths import ROOT


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
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "clone"]):
        identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
        subprocess.run(["git", *identity, *command], cwd=target, check=True)
    return target


def surroundings() -> dict[str, str]:
    """What `environment` is, for a fixture of a wider scope."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MODELYARD", "MLFLOW", "DVC"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return kept | {"PATH": path, "MODELYARD_TRACKING": "off", "MODELYARD_CACHE": "off"}
