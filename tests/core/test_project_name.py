"""The name of a project."""

from pathlib import Path

import pytest
from support.paths import ROOT

from modelyard.core.project_name import project_name


def test_it_is_that_of_pyproject_toml():
    assert project_name(ROOT) == "modelyard"


@pytest.mark.parametrize("content", [None, "", "[project", "[project]\nname = 3", "[project]\nname = 'a/b'", "\xff"])
def test_it_is_empty_without_a_readable_name(tmp_path: Path, content: str | None):
    if content is not None:
        (tmp_path / "pyproject.toml").write_text(content, encoding="latin-1")
    assert project_name(tmp_path) == ""
