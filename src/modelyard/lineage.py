"""What DVC locked: of each stage, the MD5 of what went in and of what came out, and whether a file is still that.

Read from dvc.lock, because importing DVC takes a second and says no more.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelyard.config import read_yaml
from modelyard.errors import ModelyardError
from modelyard.files import checksum

LOCK = "dvc.lock"
PRETRAINED = "pretrained/dvc.yaml:"
TRAININGS = {"experiments": "train@", "transfers": "train_transfer@", "pretrained": f"{PRETRAINED}train@"}
EVALUATIONS = {"experiments": "evaluate@", "transfers": "evaluate_transfer@", "pretrained": f"{PRETRAINED}evaluate@"}
"""Of each section of experiments, the beginning of the stages' names; the experiment's name is the rest."""


@dataclass(frozen=True)
class Locked:
    """A stage as DVC locked it after its last run: its command, and the MD5 of each file and folder by its path."""

    name: str
    command: str
    went_in: Mapping[str, str]
    came_out: Mapping[str, str]


def locked(root: Path) -> dict[str, Locked]:
    """Every locked stage by the name that DVC gives it, those of subfolders with their file: `sub/dvc.yaml:train@x`."""
    found = {}
    for lock in [root / LOCK, *sorted(root.glob(f"*/{LOCK}"))]:
        if lock.exists():
            before = "" if lock.parent == root else f"{lock.parent.name}/dvc.yaml:"
            stages = read_yaml(lock).get("stages") or {}
            found |= {before + name: _locked(before + name, stage) for name, stage in stages.items()}
    return found


def model_of(section: str, experiment: str, root: Path) -> Path:
    """The folder of an experiment's model, after a look that it is the one that DVC locked.

    Args:
        section: where the experiment stands in params.yaml.
        experiment: its name.
        root: the folder of dvc.yaml.

    Raises:
        ModelyardError: it was never built, is not here, or was changed since.
    """
    return _intact("model", _stage(TRAININGS[section] + experiment, root).came_out, root)


def test_rows_of(section: str, experiment: str, root: Path) -> Path:
    """The folder of the test rows that an experiment was evaluated on, looked at likewise; `evaluation` opens it."""
    return _intact("test", _stage(EVALUATIONS[section] + experiment, root).went_in, root)


def md5(path: Path) -> str:
    """The MD5 of a file or folder as DVC computes it; a folder's is of the list of its files, and ends in `.dir`.

    Source: dvc_data.hashfile.tree.Tree.as_bytes.
    """
    if not path.is_dir():
        return checksum(path, "md5")
    names = sorted(each.relative_to(path).as_posix() for each in path.rglob("*") if not each.is_dir())
    files = [{"md5": checksum(path / name, "md5"), "relpath": name} for name in names]
    return hashlib.md5(json.dumps(files).encode(), usedforsecurity=False).hexdigest() + ".dir"


def _locked(name: str, entry: Mapping[str, Any]) -> Locked:
    ins, outs = ({each["path"]: each["md5"] for each in entry.get(key, ())} for key in ("deps", "outs"))
    return Locked(name, entry["cmd"], ins, outs)


def _stage(name: str, root: Path) -> Locked:
    stages = locked(root)
    if name not in stages:
        raise ModelyardError(f"{LOCK} has no {name}: it was never built. Run: modelyard run {name.rpartition('@')[2]}")
    return stages[name]


def _intact(folder: str, of: Mapping[str, str], root: Path) -> Path:
    """The one of these paths that ends in `folder`, if its content is still what was locked."""
    name = next(each for each in of if Path(each).name == folder)
    if not (root / name).exists():
        raise ModelyardError(f"{name} is not here. Bring it: dvc checkout {name}, after dvc pull where that fails.")
    found = md5(root / name)
    if found != of[name]:
        raise ModelyardError(
            f"{name} was refused: it is not what the pipeline made. Its MD5 is {found}, {LOCK} says {of[name]}. "
            f"Bring the right one back: dvc checkout --force {name}; or build it anew: modelyard run"
        )
    return root / name
