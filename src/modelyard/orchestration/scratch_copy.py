"""A copy of a project without its results, in which stages can be run without touching the project."""

import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from modelyard.orchestration import dvc_lock
from modelyard.orchestration.dvc_lock import LockedStage

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
def scratch_copy(root: Path, kept: Collection[str]) -> Iterator[Path]:
    """Yield the folder of a copy, which is deleted after the block; DVC has no cache there, so every stage must run.

    Copied are the files that describe the pipeline, dvc.lock, and all top-level folders and files with something that
    a stage depends on and no stage makes.

    Args:
        root: the project's folder.
        kept: the stages whose outputs are copied as well, where they are there.
    """
    stages = dvc_lock.read(root)
    with tempfile.TemporaryDirectory(prefix=PREFIX) as temporary:
        folder = Path(temporary).resolve()
        described = [path for pattern in ("*.yaml", "dvc.lock", ".dvcignore") for path in root.glob(pattern)]
        described += [path for name in ("dvc.yaml", "dvc.lock") for path in root.glob(f"*/{name}")]
        outputs = [Path(path) for name in kept if name in stages for path in stages[name].outs]
        needed = [root / name for name in (*map(Path, _sources(stages)), *outputs)]
        for path in (*described, *needed):
            _copy(path, folder / path.relative_to(root))
        (folder / ".dvc").mkdir()
        (folder / ".dvc" / "config").write_text(CONFIG.format(site=folder / ".dvc" / "site"), encoding="utf-8")
        yield folder


def _sources(stages: Mapping[str, LockedStage]) -> set[str]:
    """The top-level names of what stages depend on, but for folders into which stages write."""
    made = {Path(path).parts[0] for stage in stages.values() for path in stage.outs}
    needed = {Path(path).parts[0] for stage in stages.values() for path in stage.deps if not Path(path).is_absolute()}
    return needed - made


def _copy(path: Path, target: Path) -> None:
    if path.is_dir():
        shutil.copytree(path, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    elif path.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
