"""The state of this project in git, and the first commit of a new one. No other module runs git.

Every call gives the same output whatever a person's git configuration and environment say.
"""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from modelyard.core.errors import ModelyardError

# Set by git for its hooks, or by a person for single commands; each would make git read another repository, other
# paths, or write another patch.
_IGNORED_VARIABLES = frozenset(
    {
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_COMMON_DIR",
        "GIT_PREFIX",
        "GIT_DIFF_OPTS",
        "GIT_EXTERNAL_DIFF",
        "GIT_LITERAL_PATHSPECS",
        "GIT_GLOB_PATHSPECS",
        "GIT_NOGLOB_PATHSPECS",
        "GIT_ICASE_PATHSPECS",
    }
)
_VARIABLES = {
    "GIT_OPTIONAL_LOCKS": "0",  # never in the way of a person's `git commit`
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "LC_ALL": "C",  # messages are matched and stored
}
_DIFF = ("diff", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "-O/dev/null")
_PATCH = (
    *_DIFF,
    "--binary",
    "--no-relative",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--unified=3",
    "--submodule=short",
    "--ignore-submodules=dirty",  # a patch cannot hold them
)
SOURCES = (".", ":!*dvc.lock", ":!results", ":!pretrained/results", ":!reports")
"""The pathspecs of all files except those that stages write: a rebuild changes these, and they change no result."""

_LOG = ("log", "-1", "--no-show-signature", "--no-color", "--encoding=UTF-8", "--format=%H%n%cs%n%s")
_OUTSIDE_GIT = "not a git repository"
_NOT_RUN = "git cannot be run"
_NO_IDENTITY = "Please tell me who you are"


@dataclass(frozen=True)
class Commit:
    """A commit, and the files that differ from it."""

    id: str
    date: str
    subject: str
    changed: tuple[str, ...] = ()


def create(root: Path) -> None:
    """Make a folder a repository, whose first branch is main.

    Raises:
        ModelyardError: git fails.
    """
    _required(root, "init", "--quiet", "--initial-branch", "main")


def add_all(root: Path) -> None:
    """Add all files that are not ignored to the next commit.

    Raises:
        ModelyardError: git fails.
    """
    _required(root, "add", "--all")


def commit(root: Path, message: str) -> None:
    """Commit what was added, without a signature.

    Raises:
        ModelyardError: git fails: it does not know who commits, or a hook refuses.
    """
    try:
        _required(root, "-c", "commit.gpgsign=false", "commit", "--quiet", "--message", message)
    except ModelyardError as error:
        if _NO_IDENTITY in str(error):
            raise ModelyardError("git does not know who you are: set user.name and user.email") from None
        raise


def checked_out(root: Path) -> Commit | None:
    """Return the commit that is checked out and the changed and new files, or None where `head` has none.

    Raises:
        ModelyardError: git cannot list the changes.
    """
    if not head(root):
        return None
    return _commit(_required(root, *_LOG), (*changed_files(root), *untracked_files(root)))


def find_commit(root: Path, revision: str) -> Commit:
    """Return the commit of a branch, tag or hash.

    Raises:
        ModelyardError: the folder is not in git, or git does not know the revision.
    """
    if _git(root, "rev-parse", "--git-dir") is None:
        raise ModelyardError(f"--against {revision}: there is nothing to compare with. {why_no_commit(root)}")
    shown = _git(root, *_LOG, "--end-of-options", revision, "--")
    if not shown:  # or a file or folder of a commit, such as HEAD:src
        raise ModelyardError(
            f"--against {revision}: git knows no such commit. Give a branch, a tag or a hash, such as HEAD~1; "
            "`git log --oneline` lists them."
        )
    return _commit(shown)


def head(root: Path) -> str:
    """Return the hash of the commit that is checked out, or "" where there is none that has this folder."""
    commit = _git(root, "rev-parse", "--verify", "HEAD")
    is_in_commit = commit and _git(root, "rev-parse", "--verify", "HEAD:./") is not None
    return commit.decode().strip() if commit and is_in_commit else ""


def why_no_commit(root: Path) -> str:
    """Return why `head` finds no commit, in git's own words where git fails; "" where it finds one."""
    if head(root):
        return ""
    try:
        _required(root, "log", "-1", "--format=")
    except ModelyardError as error:
        return str(error)
    outer = _text(_git(root, "rev-parse", "--show-toplevel") or b"").strip()
    return f"the commit of the repository {outer} does not contain this folder"


def is_unexpected(reason: str) -> bool:
    """Return whether the text of `why_no_commit` is a failure, and not just a folder outside git."""
    return bool(reason) and _OUTSIDE_GIT not in reason and not reason.startswith(_NOT_RUN)


def has_commit(root: Path, commit: str) -> bool:
    """Return whether the repository around a folder has a commit."""
    return _git(root, "cat-file", "-e", f"{commit}^{{commit}}") is not None


def prefix(root: Path) -> str:
    """Return the path of a folder within its repository, such as `models/`; "" at the top and outside git."""
    return _text(_git(root, "rev-parse", "--show-prefix") or b"").rstrip("\n")


def read_file(root: Path, commit: Commit, path: str) -> str | None:
    """Return a file of a commit by its path within the project, or None where the commit has no such file."""
    content = _git(root, "cat-file", "blob", f"{commit.id}:./{path}")
    return None if content is None else _text(content)


def changed_files(root: Path, pathspecs: Sequence[str] = (".",)) -> list[str]:
    """Return the tracked files that differ from the commit that is checked out, relative to `root`.

    Raises:
        ModelyardError: git fails, for example because a filter of .gitattributes is not installed.
    """
    return _names(_required(root, *_DIFF, "--relative", "--name-only", "-z", "HEAD", "--", *pathspecs))


def untracked_files(root: Path, pathspecs: Sequence[str] = (".",)) -> list[str]:
    """Return the files that git neither tracks nor ignores, relative to `root`.

    Raises:
        ModelyardError: git fails.
    """
    return _names(_required(root, "ls-files", "--others", "--exclude-standard", "-z", "--", *pathspecs))


def tracked_files(root: Path, pathspecs: Sequence[str] = (".",)) -> list[str]:
    """Return the files that git tracks, relative to `root`; none outside a repository.

    Raises:
        ModelyardError: git fails.
    """
    try:
        return _names(_required(root, "ls-files", "--cached", "-z", "--", *pathspecs))
    except ModelyardError as error:
        if is_unexpected(str(error)):
            raise
        return []


def patch(root: Path, pathspecs: Sequence[str] = (".",)) -> bytes:
    """Return the patch from the commit that is checked out to the tracked files as they are now, for `git apply`.

    Bytes, because it holds the files' own lines in their own encodings.

    Raises:
        ModelyardError: git fails.
    """
    return _required(root, *_PATCH, "HEAD", "--", *pathspecs)


def _commit(shown: bytes, changed: tuple[str, ...] = ()) -> Commit:
    identity, date, subject = _text(shown).split("\n", 2)  # the message of a commit may be empty
    return Commit(identity, date, subject.rstrip("\n"), changed)


def _names(listed: bytes) -> list[str]:
    """The names of a list that ends each with a zero byte."""
    return [name for name in _text(listed).split("\0") if name]


def _text(output: bytes) -> str:
    return output.decode("utf-8", "replace")


def _git(root: Path, *arguments: str) -> bytes | None:
    """Return git's output, or None where it fails or is not installed."""
    try:
        result = _run(root, *arguments)
    except OSError:
        return None
    return result.stdout if result.returncode == 0 else None


def _required(root: Path, *arguments: str) -> bytes:
    """Return git's output.

    Raises:
        ModelyardError: git fails, with what it said on one line, or is not installed.
    """
    try:
        result = _run(root, *arguments)
    except OSError as error:
        raise ModelyardError(f"{_NOT_RUN}: {error.strerror}") from None
    if result.returncode:
        said = " ".join(_text(result.stderr).split())
        raise ModelyardError(f"git said: {said or f'nothing, but failed with exit code {result.returncode}'}")
    return result.stdout


def _run(root: Path, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    """Run git.

    Raises:
        OSError: git is not installed.
    """
    kept = {name: value for name, value in os.environ.items() if name not in _IGNORED_VARIABLES}
    return subprocess.run(  # noqa: S603
        ["git", *arguments],  # noqa: S607
        cwd=root,
        env=kept | _VARIABLES,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
