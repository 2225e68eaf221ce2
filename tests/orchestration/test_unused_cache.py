"""DVC's cache: what this folder, a branch or a tag uses stays, all else is found and removed."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.repositories import git

from modelyard.orchestration import unused_cache

STAGES = """
stages:
  make:
    cmd: echo ${content} > made
    params: [content]
    outs: [made]
"""


def build(root: Path, content: str) -> Path:
    """Build the stage with this parameter; returns the object in the cache."""
    from dvc.repo import Repo

    (root / "params.yaml").write_text(f"content: {content}\n")
    before = objects(root)
    with Repo(str(root)) as repo:
        repo.reproduce()
    (made,) = objects(root) - before
    return made


def objects(root: Path) -> set[Path]:
    return {path for path in (root / ".dvc/cache/files").rglob("*") if path.is_file()}


@pytest.fixture
def repository(make_project: Callable[[str], Path]) -> Path:
    """A DVC project in git."""
    root = make_project(STAGES)
    (root / ".dvc/config").write_text("")
    git(root, "init", "-q", "-b", "main")
    return root


def test_what_this_folder_a_branch_or_a_tag_uses_stays(repository: Path) -> None:
    first = build(repository, "first")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "First")
    git(repository, "tag", "v1")
    lost, last = build(repository, "second"), build(repository, "third")
    assert unused_cache.find_unused(repository) == [lost]
    unused_cache.remove_unused(repository)
    assert objects(repository) == {first, last}
    assert unused_cache.find_unused(repository) == []


def test_without_git_only_this_folder_counts(make_project: Callable[[str], Path]) -> None:
    root = make_project(STAGES)
    lost, last = build(root, "first"), build(root, "second")
    assert unused_cache.find_unused(root) == [lost]
    unused_cache.remove_unused(root)
    assert objects(root) == {last}


def test_a_cache_that_others_may_share_is_left_alone(make_project: Callable[[str], Path], tmp_path: Path) -> None:
    from dvc.repo import Repo

    root = make_project(STAGES)
    with Repo(str(root)) as repo, repo.config.edit() as config:
        config["cache"]["dir"] = str(tmp_path / "shared")
    for content in ("first", "second"):
        (root / "params.yaml").write_text(f"content: {content}\n")
        with Repo(str(root)) as repo:
            repo.reproduce()
    assert unused_cache.find_unused(root) == []
    unused_cache.remove_unused(root)
    assert len([path for path in (tmp_path / "shared/files").rglob("*") if path.is_file()]) == 2
