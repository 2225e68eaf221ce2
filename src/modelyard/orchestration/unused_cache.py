"""Objects of DVC's cache that nothing refers to: neither this folder nor a branch, a tag or an experiment of DVC."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from modelyard.orchestration.dvc_errors import explain_dvc_errors


def find_unused(root: Path) -> list[Path]:
    """Return the files of unused objects; none of a cache outside the project, which others may share.

    Raises:
        ModelyardError: a file that describes a pipeline is wrong, or another process holds DVC's lock.
    """
    with _repository(root) as repo, repo.lock:
        used = {each.value for objects in repo.used_objs(**_kept(repo)).values() for each in objects}
        return [Path(odb.oid_to_path(oid)) for odb in _own_caches(repo) for oid in odb.all() if oid not in used]


def remove_unused(root: Path) -> None:
    """Remove what `find_unused` returns.

    Raises:
        ModelyardError: see `find_unused`.
    """
    with _repository(root) as repo:
        if _own_caches(repo):
            repo.gc(workspace=True, **_kept(repo))


def _kept(repo: Any) -> dict[str, bool]:
    """What DVC counts besides this folder, all that git has."""
    from dvc.scm import NoSCM

    in_git = not isinstance(repo.scm, NoSCM)
    # Forced: without that, DVC refuses wherever a folder of some branch was never built here.
    return {"all_branches": in_git, "all_tags": in_git, "all_experiments": in_git, "force": True}


def _own_caches(repo: Any) -> list[Any]:
    """The caches in the project's folder; all of them or none, because DVC cleans all at once."""
    caches = {id(odb): odb for _, odb in repo.cache.by_scheme() if odb}.values()
    are_own = all(Path(odb.path).resolve().is_relative_to(Path(repo.root_dir).resolve()) for odb in caches)
    return list(caches) if are_own else []


@contextmanager
def _repository(root: Path) -> Iterator[Any]:
    from dvc.repo import Repo

    logging.getLogger("dvc").setLevel(logging.ERROR)  # it warns of each output that was never built here
    with explain_dvc_errors(root), Repo(str(root)) as repo:
        yield repo
