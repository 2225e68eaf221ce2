"""What git knows of this project: the commit that is checked out, and what another one holds."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from modelyard.core.errors import ModelyardError


@dataclass(frozen=True)
class Commit:
    """A commit, and the files that differ from it."""

    id: str
    date: str
    subject: str
    changed: tuple[str, ...] = ()


def checked_out(root: Path) -> Commit | None:
    """The commit that a folder was made from, and which files changed since; none outside git."""
    told = _git(root, "log", "-1", "--format=%H%n%cs%n%s")
    if told is None:
        return None
    identity, date, subject = told.rstrip("\n").split("\n", 2)
    status = _git(root, "status", "--porcelain", "--", ".") or ""
    return Commit(identity, date, subject, tuple(line[3:] for line in status.splitlines()))


def find(root: Path, revision: str) -> Commit:
    """The commit that a name, tag or hash stands for.

    Raises:
        ModelyardError: the folder is not in git, or git does not know the revision.
    """
    if _git(root, "rev-parse", "--git-dir") is None:
        raise ModelyardError(f"--against {revision}: this folder is not in git, so there is nothing to compare with.")
    told = _git(root, "log", "-1", "--format=%H%n%cs%n%s", "--end-of-options", revision, "--")
    if told is None:
        raise ModelyardError(
            f"--against {revision}: git knows no such commit. Give a branch, a tag or a hash, such as HEAD~1; "
            "`git log --oneline` lists them."
        )
    return Commit(*told.rstrip("\n").split("\n", 2))


def read(root: Path, commit: Commit, path: str) -> str | None:
    """A file of a commit, by its path within the project; none where the commit has no such file."""
    return _git(root, "show", f"{commit.id}:./{path}")


def _git(root: Path, *arguments: str) -> str | None:
    """What git answers; nothing where it refuses or is not installed."""
    try:
        found = subprocess.run(  # noqa: S603
            ["git", *arguments],  # noqa: S607
            cwd=root,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
    except FileNotFoundError:
        return None
    return found.stdout if found.returncode == 0 else None
