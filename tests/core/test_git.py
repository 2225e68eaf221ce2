"""The state of real repositories."""

import subprocess
from pathlib import Path

import pytest

from modelyard.core import git
from modelyard.core.errors import ModelyardError


def run_git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    return subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits of one file in a project that is a folder of its repository."""
    project = tmp_path / "whole" / "project"
    project.mkdir(parents=True)
    run_git(tmp_path / "whole", "init", "-q", "-b", "main")
    for text in ("first", "second"):
        (project / "notes.txt").write_text(f"{text}\n")
        run_git(project, "add", ".")
        run_git(project, "commit", "-qm", f"The {text}")
    return project


def test_the_commit_that_is_checked_out_has_the_files_that_differ_from_it(repository: Path) -> None:
    commit = git.checked_out(repository)
    assert (commit.id, commit.subject) == (run_git(repository, "rev-parse", "HEAD").strip(), "The second")
    assert commit.changed == ()
    (repository / "notes.txt").write_text("edited\n")
    assert [path.rpartition("/")[2] for path in git.checked_out(repository).changed] == ["notes.txt"]


def test_a_file_is_read_as_another_commit_has_it(repository: Path) -> None:
    before = git.find_commit(repository, "HEAD~1")
    assert before.subject == "The first"
    assert git.read_file(repository, before, "notes.txt") == "first\n"
    assert git.read_file(repository, before, "never.txt") is None


@pytest.mark.parametrize("revision", ["nonsense", "HEAD~7", "--help", ""])
def test_an_unknown_commit_is_refused_with_advice(repository: Path, revision: str) -> None:
    with pytest.raises(ModelyardError, match=r"git knows no such commit\. Give a branch, a tag or a hash"):
        git.find_commit(repository, revision)


def test_outside_git_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git.checked_out(tmp_path) is None
    with pytest.raises(ModelyardError, match="this folder is not in git"):
        git.find_commit(tmp_path, "HEAD")


def test_a_repository_without_commits_has_none(tmp_path: Path) -> None:
    run_git(tmp_path, "init", "-q")
    assert git.checked_out(tmp_path) is None


def test_where_git_is_not_installed_there_is_no_commit(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert git.checked_out(repository) is None


def test_changes_are_those_since_the_commit_without_excluded_paths(repository: Path) -> None:
    assert (git.changed_files(repository), git.untracked_files(repository), git.patch(repository)) == ([], [], "")
    (repository / "notes.txt").write_text("edited\n")
    (repository / "new.txt").write_text("new\n")
    assert [path.rpartition("/")[2] for path in git.changed_files(repository)] == ["notes.txt"]
    assert git.untracked_files(repository) == ["new.txt"]
    assert "-second\n+edited\n" in git.patch(repository)
    excluded = (".", ":!notes.txt", ":!new.txt")
    assert (git.changed_files(repository, excluded), git.untracked_files(repository, excluded)) == ([], [])
    assert git.patch(repository, excluded) == ""


def test_a_commit_is_known_by_its_hash(repository: Path) -> None:
    assert git.head(repository) == run_git(repository, "rev-parse", "HEAD").strip()
    assert git.has_commit(repository, git.head(repository))
    assert not git.has_commit(repository, "0" * 40)
