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


@pytest.mark.parametrize("kind", ["json", "yaml"])
def test_an_invalid_file_is_refused_by_name(tmp_path, kind: str) -> None:
    write_text(tmp_path / f"broken.{kind}", "{")
    with pytest.raises(ModelyardError, match=rf"broken\.{kind}: .*not valid {kind.upper()}"):
        getattr(ProjectFiles(tmp_path), kind)(f"broken.{kind}")


def test_files_of_a_commit_are_read_as_committed(tmp_path) -> None:
    write_text(tmp_path / "a.json", "[1]")
    git(tmp_path, "init", "-q")
    commit(tmp_path, "One")
    write_text(tmp_path / "a.json", "[2]")
    files = ProjectFiles(tmp_path, find_commit(tmp_path, "HEAD"))
    assert (files.json("a.json"), files.json("b.json")) == ([1], None)


def test_unreadable_images_are_reported_and_the_learning_curve_comes_first(tmp_path) -> None:
    for name in ("confusion", "learning_curve"):
        draw(tmp_path / "plots" / f"{name}.png")
    (tmp_path / "plots" / "broken.png").write_bytes(b"not an image")
    files = ProjectFiles(tmp_path)
    assert [image.caption for image in files.images(tmp_path / "plots")] == [
        "Learning curve",
        "Confusion matrix (test samples)",
    ]
    (message,) = files.missing
    assert message.startswith("plots/broken.png: not a readable image")
