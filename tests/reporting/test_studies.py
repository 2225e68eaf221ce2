"""The reports of studies as parts of the page."""

from support.projects import STUDY, draw

from modelyard.core.files import write_text
from modelyard.reporting.project_files import ProjectFiles
from modelyard.reporting.studies import study_sections


def test_a_study_is_shown_as_html_that_loads_nothing(tmp_path) -> None:
    folder = tmp_path / "reports" / "tuning" / "digits_cnn"
    write_text(folder / "report.md", STUDY)
    draw(folder / "history.png")
    (study,) = study_sections(ProjectFiles(tmp_path))
    assert study.name == "digits_cnn"
    assert "<h3>Study digits_cnn</h3>" in study.report
    assert "<strong>Best 0.99</strong> &lt;script&gt;alert(1)&lt;/script&gt;" in study.report
    assert "<td>90</td>" in study.report
    assert "<a" not in study.report
    assert "<img" not in study.report
    assert [plot.file for plot in study.plots] == ["reports/tuning/digits_cnn/history.png"]


def test_a_folder_without_a_report_is_no_study(tmp_path) -> None:
    draw(tmp_path / "reports" / "tuning" / "digits_cnn" / "history.png")
    assert study_sections(ProjectFiles(tmp_path)) == []
