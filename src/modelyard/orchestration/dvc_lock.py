"""What DVC locked: of each stage, the MD5 of what went in and of what came out, and whether a file is still that.

Read from dvc.lock, because importing DVC takes a second and says no more.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelyard.core.config import read_yaml
from modelyard.core.errors import ModelyardError
from modelyard.core.files import checksum

LOCK = "dvc.lock"


@dataclass(frozen=True)
class Locked:
    """A stage as DVC locked it after its last run: its command, and the MD5 of each file and folder by its path."""

    name: str
    command: str
    deps: Mapping[str, str]
    outs: Mapping[str, str]


def locked(root: Path) -> dict[str, Locked]:
    """Every locked stage by the name that DVC gives it, those of subfolders with their file: `sub/dvc.yaml:train@x`."""
    found = {}
    for lock in [root / LOCK, *sorted(root.glob(f"*/{LOCK}"))]:
        if lock.exists():
            before = "" if lock.parent == root else f"{lock.parent.name}/dvc.yaml:"
            stages = read_yaml(lock).get("stages") or {}
            found |= {before + name: _locked(before + name, stage) for name, stage in stages.items()}
    return found


def verified_output(stage: str, name: str, root: Path) -> Path:
    """The output of a stage whose last part is `name`, after a check that it is what DVC locked.

    Raises:
        ModelyardError: the stage was never run, the output is not here, or it was changed since.
    """
    return _verified(name, _stage(stage, root).outs, root)


def verified_dependency(stage: str, name: str, root: Path) -> Path:
    """The dependency of a stage whose last part is `name`, checked as `verified_output` does."""
    return _verified(name, _stage(stage, root).deps, root)


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


def _verified(folder: str, of: Mapping[str, str], root: Path) -> Path:
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
