"""A copy of a project without its results, in which stages can be run without touching the project."""

import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from modelyard.core.config import parse_yaml
from modelyard.core.files import copy_folder, read_text
from modelyard.orchestration import dvc_lock
from modelyard.orchestration.scheduler import with_upstream

PREFIX = "modelyard_"  # of the folder's name
# DVC's settings of a user could name a cache that has the results, and its own folder for state would be left behind.
CONFIG = """[core]
    no_scm = true
    analytics = false
    check_update = false
    site_cache_dir = {site}
[cache]
    dir = cache
    type = "reflink,copy"
"""


@contextmanager
def scratch_copy(root: Path, targets: Collection[str], kept: Collection[str] = ()) -> Iterator[Path]:
    """Yield the folder of a copy, which is deleted after the block; DVC has no cache there, so every stage must run.

    Copied are the files that describe the pipeline, dvc.lock, and all top-level folders and files with something that
    a stage to be run depends on and no stage makes. What lies outside the project is not copied.

    Args:
        root: the project's folder.
        targets: the stages that are to be run, with all that they depend on.
        kept: the stages whose outputs are copied as well, where they are there.
    """
    stages = _located_stages(root)
    outputs = [path for name in kept if name in stages for path in stages[name].outs]
    with tempfile.TemporaryDirectory(prefix=PREFIX) as temporary:
        # At the same path as the project has: what is beside a project (../table.csv) is beside the copy here as well.
        folder = Path(temporary).resolve().joinpath(*root.parts[1:])
        described = [path for pattern in ("*.yaml", "dvc.lock", ".dvcignore") for path in root.glob(pattern)]
        described += [path for name in ("dvc.yaml", "dvc.lock") for path in root.glob(f"*/{name}")]
        needed = [root / path for path in (*_sources(stages, targets), *outputs)]
        for path in (*described, *needed):
            _copy(path, folder / path.relative_to(root))
        (folder / ".dvc").mkdir(parents=True)
        (folder / ".dvc" / "config").write_text(CONFIG.format(site=folder / ".dvc" / "site"), encoding="utf-8")
        yield folder


class _Located(NamedTuple):
    """The folder in which a stage runs, and its paths within the project; all are relative to the project's folder."""

    folder: Path
    deps: Sequence[Path]
    outs: Sequence[Path]


def _located_stages(root: Path) -> dict[str, _Located]:
    """All locked stages by name; dvc.lock has paths relative to the folder of a stage, which only dvc.yaml names."""
    located: dict[str, _Located] = {}
    folders: dict[str, Mapping[str, str]] = {}
    for name, stage in dvc_lock.read(root).items():
        place, _, own_name = name.rpartition("/dvc.yaml:")
        if place not in folders:
            folders[place] = _working_folders(root / place / "dvc.yaml")
        folder = os.path.normpath(Path(place) / folders[place].get(own_name.partition("@")[0], "."))
        deps, outs = (list(_inside(root, folder, paths)) for paths in (stage.deps, stage.outs))
        located[name] = _Located(Path(folder), deps, outs)
    return located


def _working_folders(file: Path) -> dict[str, str]:
    """The `wdir` of each stage of a dvc.yaml; none if it is missing or wrong, which DVC reports when it reads it."""
    try:
        stages = parse_yaml(read_text(file), file)["stages"]
        return {name: stage.get("do", stage).get("wdir", ".") for name, stage in stages.items()}
    except (FileNotFoundError, AttributeError, KeyError, TypeError):
        return {}


def _inside(root: Path, folder: str, paths: Iterable[str]) -> Iterator[Path]:
    """The paths that are in the project."""
    for path in paths:
        relative = Path(os.path.relpath(root / folder / path, root))
        if relative.parts[:1] not in ((), (os.pardir,)):
            yield relative


def _sources(stages: Mapping[str, _Located], targets: Collection[str]) -> set[Path]:
    """What stages need, as files and folders right in that of the stage or the project; none writes into these."""
    upstream = _upstream(stages)
    run = [stages[name] for name in with_upstream(stages.keys() & targets, upstream)]
    needed = {_top(path, stage.folder) for stage in run for path in stage.deps}
    made = {path for stage in stages.values() for path in stage.outs}
    return {path for path in needed if not any(path in (each, *each.parents) or each in path.parents for each in made)}


def _upstream(stages: Mapping[str, _Located]) -> dict[str, set[str]]:
    """The stages that make something that a stage depends on, or that lies in it, or that it lies in."""
    makers, makers_within = defaultdict[Path, set[str]](set), defaultdict[Path, set[str]](set)
    for name, stage in stages.items():
        for path in stage.outs:
            makers[path].add(name)
            for folder in path.parents:
                makers_within[folder].add(name)
    return {
        name: set[str]().union(
            *(makers[each] for path in stage.deps for each in (path, *path.parents)),
            *(makers_within[path] for path in stage.deps),
        )
        for name, stage in stages.items()
    }


def _top(path: Path, folder: Path) -> Path:
    """The part of a path that is right in the folder of its stage, or else in that of the project."""
    depth = len(folder.parts) if path.is_relative_to(folder) else 0
    return Path(*path.parts[: depth + 1])


def _copy(path: Path, target: Path) -> None:
    if path.is_dir():
        copy_folder(path, target, lambda name: name == "__pycache__")
    elif path.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
