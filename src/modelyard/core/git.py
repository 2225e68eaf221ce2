"""The state of this project in git. No other module runs git."""

import subprocess
from collections.abc import Sequence
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
    """Return the commit that is checked out and the files changed since, or None outside git."""
    shown = _git(root, "log", "-1", "--format=%H%n%cs%n%s")
    if shown is None:
        return None
    status = _git(root, "status", "--porcelain", "--", ".") or ""
    return _commit(shown, tuple(line[3:] for line in status.splitlines()))


def find_commit(root: Path, revision: str) -> Commit:
    """Return the commit of a branch, tag or hash.

    Raises:
        ModelyardError: the folder is not in git, or git does not know the revision.
    """
    if _git(root, "rev-parse", "--git-dir") is None:
        raise ModelyardError(f"--against {revision}: this folder is not in git, so there is nothing to compare with.")
    shown = _git(root, "log", "-1", "--format=%H%n%cs%n%s", "--end-of-options", revision, "--")
    if shown is None:
        raise ModelyardError(
            f"--against {revision}: git knows no such commit. Give a branch, a tag or a hash, such as HEAD~1; "
            "`git log --oneline` lists them."
        )
    return _commit(shown)


def head(root: Path) -> str:
    """Return the hash of the commit that is checked out, or "" outside git."""
    return (_git(root, "rev-parse", "HEAD") or "").strip()


def has_commit(root: Path, commit: str) -> bool:
    """Return whether the repository around a folder has a commit."""
    return bool(_git(root, "cat-file", "-t", commit))


def read_file(root: Path, commit: Commit, path: str) -> str | None:
    """Return a file of a commit by its path within the project, or None where the commit has no such file."""
    return _git(root, "show", f"{commit.id}:./{path}")


def changed_files(root: Path, pathspecs: Sequence[str] = (".",)) -> list[str]:
    """Return the tracked files that differ from the commit that is checked out."""
    return (_git(root, "diff", "--name-only", "HEAD", "--", *pathspecs) or "").splitlines()


def untracked_files(root: Path, pathspecs: Sequence[str] = (".",)) -> list[str]:
    """Return the files that git neither tracks nor ignores."""
    return (_git(root, "ls-files", "--others", "--exclude-standard", "--", *pathspecs) or "").splitlines()


def patch(root: Path, pathspecs: Sequence[str] = (".",)) -> str:
    """Return the patch from the commit that is checked out to the tracked files as they are now."""
    return _git(root, "diff", "--binary", "HEAD", "--", *pathspecs) or ""


def _commit(shown: str, changed: tuple[str, ...] = ()) -> Commit:
    identity, date, subject = shown.rstrip("\n").split("\n", 2)
    return Commit(identity, date, subject, changed)


def _git(root: Path, *arguments: str) -> str | None:
    """Return git's output, or None where it fails or is not installed."""
    try:
        result = subprocess.run(  # noqa: S603
            ["git", *arguments],  # noqa: S607
            cwd=root,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
    except FileNotFoundError:
        return None
    return result.stdout if result.returncode == 0 else None
