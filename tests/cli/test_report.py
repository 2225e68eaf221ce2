"""`modelyard report`."""

from pathlib import Path

import pytest
from support.commands import modelyard
from support.paths import ROOT
from support.projects import make_project

from modelyard import params


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = make_project(tmp_path / "yard")
    monkeypatch.chdir(folder)
    return folder


def test_the_command_prints_where_the_report_is(project: Path) -> None:
    result = modelyard("report")
    count = len(params.load(ROOT / "params.yaml").all_experiments)
    assert result.exit_code == 0
    assert "reports/index.html (0.1 MB)" in result.output
    assert f"4 of {count} experiments" in result.output
    assert "reports/report.md" in result.output
    assert (project / "reports" / "index.html").exists()


def test_the_report_is_written_where_output_says(project: Path) -> None:
    assert modelyard("report", "-o", "public/page.html").exit_code == 0
    assert sorted(path.name for path in (project / "public").iterdir()) == ["page.html", "report.md"]


def test_an_unknown_commit_is_refused_before_anything_is_written(project: Path) -> None:
    result = modelyard("report", "--against", "nonsense")
    assert result.exit_code == 1
    assert "error: --against nonsense: git knows no such commit." in result.output
    assert not (project / "reports" / "index.html").exists()
