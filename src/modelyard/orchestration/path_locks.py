"""What other DVC commands must leave alone while stages run: entries in `.dvc/tmp/rwlock`, DVC's own lock of paths.

DVC locks what a stage makes for writing, so that even `dvc status` is refused for hours. Here these paths are locked
for reading, and those that are made from them too: DVC reads them, but builds, commits or removes none of them.
"""

import json
import os
import sys
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import chain
from pathlib import Path
from typing import Any

from modelyard.core.files import write_text
from modelyard.core.processes import has_ended
from modelyard.orchestration.patching import patched


class PathLocks:
    """The paths of the stages that this process runs."""

    def __init__(self, repo: Any) -> None:
        self._repo = repo
        self._file = Path(repo.tmp_dir) / "rwlock"
        self._holder = _this_process()
        self._held: dict[str, Collection[str]] = {}

    def take(self, stage: str, read: Collection[str], written: Collection[str], dependent: Collection[str]) -> None:
        """Lock the paths of a stage.

        Args:
            stage: its name.
            read: what it reads.
            written: what it makes.
            dependent: what is made from that.

        Raises:
            LockError: another process makes one of these paths, or reads what this stage makes.
        """
        from dvc.rwlock import _check_blockers

        with self._entries() as entries:
            _check_blockers(str(self._file.parent), entries, self._holder, mode="write", waiters=[*read, *written])
            _check_blockers(str(self._file.parent), entries, self._holder, mode="read", waiters=[*written])
            self._held[stage] = {*read, *written, *dependent}
            self._replace(entries)

    def release(self, stage: str) -> None:
        """Unlock the paths of a stage that no other one holds."""
        with self._entries() as entries:
            self._held.pop(stage, None)
            self._replace(entries)

    def _replace(self, entries: Any) -> None:
        """Replace all entries of this process."""
        readers: dict[str, list[Any]] = defaultdict(list)
        for path, holders in entries.get("read", {}).items():
            readers[path] = [holder for holder in holders if holder != self._holder]
        for path in sorted(set(chain.from_iterable(self._held.values()))):
            readers[path].append(self._holder)
        entries["read"] = {path: holders for path, holders in readers.items() if holders}

    @contextmanager
    def _entries(self) -> Iterator[Any]:
        """Yield the content of the file, to be changed, and write it in a way that leaves no half of it."""
        from dvc.lock import make_lock

        hardlink = self._repo.config["core"].get("hardlink_lock", False)
        folder = str(self._file.parent)
        with make_lock(str(self._file.with_suffix(".lock")), tmp_dir=folder, hardlink_lock=hardlink):
            entries = _running_entries(self._file)
            yield entries
            write_text(self._file, json.dumps(entries))


def paths_being_written(root: Path) -> list[Path]:
    """Return the outputs of a project that `dvc repro` makes at the moment, not those that PathLocks has locked."""
    return [Path(path) for path in _running_entries(root / ".dvc/tmp/rwlock")["write"]]


def lockable_paths(items: Iterable[Any]) -> list[str]:
    """Return the paths of dependencies or outputs that DVC locks: of none in another repository or a database."""
    from dvc.dependency.db import AbstractDependency
    from dvc.dependency.repo import RepoDependency

    return [item.fs_path for item in items if not isinstance(item, RepoDependency | AbstractDependency)]


def paths_are_locked() -> AbstractContextManager[None]:
    """Within the block, DVC locks no path itself: PathLocks has done that once for all that it does."""
    from dvc import rwlock

    return patched((rwlock, "rwlock", lambda *_: nullcontext()))


def _this_process() -> dict[str, Any]:
    """This process as DVC names itself to those that it refuses."""
    return {"pid": os.getpid(), "cmd": " ".join(sys.argv)}


def _running_entries(file: Path) -> Any:
    """The entries of processes that still run."""
    try:
        written, content = file.stat().st_mtime, json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # half of it: whoever was writing it has been killed
        return {"read": {}, "write": {}}
    readers, writers = content.get("read", {}), content.get("write", {})
    holders = {(each["pid"], each["cmd"]): each for each in (*writers.values(), *chain.from_iterable(readers.values()))}
    running = [each for each in holders.values() if not _has_ended(each, written)]
    left = {path: [each for each in found if each in running] for path, found in readers.items()}
    return {
        "read": {path: found for path, found in left.items() if found},
        "write": {path: each for path, each in writers.items() if each in running},
    }


def _has_ended(holder: Any, written: float) -> bool:
    """Whether the process that made an entry has ended; its id may be another's by now, in containers even ours."""
    if holder["pid"] == os.getpid():
        return bool(holder != _this_process())
    return has_ended(holder["pid"], written)
