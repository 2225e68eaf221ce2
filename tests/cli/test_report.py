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
    (project / "public").mkdir()
    (project / "public" / "report.md").write_text("mine")
    result = modelyard("report", "-o", "public/page.html")
    assert (result.exit_code, "pull request: public/page.md." in result.output) == (0, True)
    assert sorted(path.name for path in (project / "public").iterdir()) == ["page.html", "page.md", "report.md"]
    assert (project / "public" / "report.md").read_text() == "mine"


@pytest.mark.parametrize("name", ["report.md", "report", "page.htm"])
def test_a_name_that_is_not_one_of_html_is_refused_before_anything_is_written(project: Path, name: str) -> None:
    result = modelyard("report", "-o", f"notes/{name}")
    assert result.exit_code == 1
    assert f"error: notes/{name}: the report is HTML; give a file whose name ends with .html" in result.output
    assert not (project / "notes").exists()


def test_the_results_are_written_between_the_markers_of_a_page(project: Path) -> None:
    (project / "README.md").write_text("# Mine\n\n<!-- results -->\nold\n<!-- end -->\n\nMore.\n")
    assert modelyard("report", "--readme", "README.md").exit_code == 0
    text = (project / "README.md").read_text()
    assert text.startswith("# Mine\n\n<!-- results -->\n| experiment | notebook |")
    assert "| boston_mlp | 004 | correlation 0.85 (0.84 to 0.86) |" in text
    assert text.endswith("|\n<!-- end -->\n\nMore.\n")
    assert "old" not in text


def test_a_page_without_markers_is_refused_with_what_to_write(project: Path) -> None:
    (project / "README.md").write_text("# Mine\n")
    result = modelyard("report", "--readme", "README.md")
    assert result.exit_code == 1
    assert "README.md has no place for the results: write a line <!-- results -->" in result.output
    assert (project / "README.md").read_text() == "# Mine\n"


def test_a_page_that_is_not_there_is_refused_before_anything_is_written(project: Path) -> None:
    result = modelyard("report", "--readme", "NOSUCH.md")
    assert result.exit_code == 1
    assert "error: --readme NOSUCH.md: there is no such file" in result.output
    assert not (project / "reports" / "index.html").exists()


def test_what_looks_like_a_key_in_the_report_is_a_warning(project: Path) -> None:
    assert "looks like a key" not in modelyard("report").output
    text = (project / "published.yaml").read_text()
    key = "AKIA" + "ABCDEFGHIJKLMNOP"
    (project / "published.yaml").write_text(text.replace("raw features", f"raw features {key}", 1))
    result = modelyard("report")
    assert result.exit_code == 0
    assert (
        "warning: reports/index.html, which is made to be published, has what looks like a key (line " in result.output
    )
    assert "warning: results/boston_mlp/card.md, which is made to be published, has" in result.output
    assert key not in result.output


def test_an_unknown_commit_is_refused_before_anything_is_written(project: Path) -> None:
    result = modelyard("report", "--against", "nonsense")
    assert result.exit_code == 1
    assert "error: --against nonsense: git knows no such commit." in result.output
    assert not (project / "reports" / "index.html").exists()
