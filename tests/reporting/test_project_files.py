"""Reading files of a project's folder and of a commit."""

import pytest
from support.projects import commit, draw, git

from modelyard.core.errors import ModelyardError
from modelyard.core.files import write_text
from modelyard.core.git import find_commit
from modelyard.reporting.project_files import ProjectFiles


def test_missing_files_are_none(tmp_path) -> None:
    files = ProjectFiles(tmp_path)
    assert (files.text("a.txt"), files.json("a.json"), files.yaml("a.yaml")) == (None, None, None)


def test_an_invalid_file_of_settings_is_refused_by_name(tmp_path) -> None:
    write_text(tmp_path / "broken.yaml", "{")
    with pytest.raises(ModelyardError, match=r"broken\.yaml, line 1: this is not valid YAML"):
        ProjectFiles(tmp_path).yaml("broken.yaml")


@pytest.mark.parametrize("content", [b"{", b"", b"[1]", b"1", b"\xff", b"<<<<<<< HEAD\n"])
def test_an_invalid_result_file_counts_as_missing_and_is_named(tmp_path, content: bytes) -> None:
    (tmp_path / "broken.json").write_bytes(content)
    files = ProjectFiles(tmp_path)
    assert files.json("broken.json") is None
    (message,) = files.missing
    assert "broken.json" in message
    assert message.endswith("Build it again, or restore it from git")


def test_files_of_a_commit_are_read_as_committed(tmp_path) -> None:
    write_text(tmp_path / "a.json", "{}")
    git(tmp_path, "init", "-q")
    commit(tmp_path, "One")
    write_text(tmp_path / "a.json", '{"b": 2}')
    files = ProjectFiles(tmp_path, find_commit(tmp_path, "HEAD"))
    assert (files.json("a.json"), files.json("b.json")) == ({}, None)


@pytest.mark.parametrize("started", [True, False])
def test_unreadable_images_are_reported_and_the_learning_curve_comes_first(started: bool, tmp_path) -> None:
    for name in ("confusion", "learning_curve"):
        draw(tmp_path / "plots" / f"{name}.png")
    (tmp_path / "plots" / "broken.png").write_bytes(b"not an image")
    files = ProjectFiles(tmp_path)
    if started:
        files.start_images([tmp_path / "plots", tmp_path / "nothing"])
    assert [image.caption for image in files.images(tmp_path / "plots")] == [
        "Learning curve",
        "Confusion matrix (test samples)",
    ]
    (message,) = files.missing
    assert message.startswith("plots/broken.png: not a readable image")
