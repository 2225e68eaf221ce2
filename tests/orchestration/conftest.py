"""Small DVC projects whose stages are one line of shell each."""

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
from support.pipelines import init_dvc


@pytest.fixture
def make_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Makes a DVC project without git from the text of its dvc.yaml, and enters it."""

    def make(stages: str, params: str = "") -> Path:
        root = tmp_path / "project"
        root.mkdir()
        init_dvc(root)
        (root / "dvc.yaml").write_text(dedent(stages))
        (root / "params.yaml").write_text(params)
        monkeypatch.chdir(root)
        return root

    return make
