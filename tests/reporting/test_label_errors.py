"""What `modelyard label-errors` found, in the report."""

from collections.abc import Callable
from pathlib import Path

from support.projects import draw
from support.reports import Report

from modelyard.core.files import write_text
from modelyard.reporting.label_errors import SHOWN

HEADER = "row,label,suggested,probability_of_label,probability_of_suggested,likely_error"


def test_each_file_is_a_section_with_its_first_rows_and_its_images(project: Path, rewrite: Callable[..., Report]):
    folder = project / "reports" / "label_errors"
    rows = [f"{row},1.50,True,0.00123456,0.99,{row < 3}" for row in range(1, 31)]
    write_text(folder / "digits_cnn.csv", "\n".join([HEADER, *rows]) + "\n")
    draw(folder / "digits_cnn.png")
    report = rewrite()
    (section,) = report.contents.label_errors
    assert (section.experiment, section.total, section.likely_errors) == ("digits_cnn", 30, 2)
    assert section.columns[3] == "probability of label"
    assert section.rows[0] == ["1", "1.50", "True", "0.001235", "0.99", "yes"], "classes are text as it is"
    assert len(section.rows) == SHOWN
    assert [image.file for image in section.images] == ["reports/label_errors/digits_cnn.png"]
    assert "#label-errors" in report.page.links and "label-errors" in report.page.ids
    assert "2 of the 30 listed samples have a likely label error" in report.page.text
    assert f"The first {SHOWN} of 30 samples." in report.page.text


def test_without_files_there_is_no_section(report: Report):
    assert report.contents.label_errors == []
    assert "#label-errors" not in report.page.links


def test_a_file_that_is_not_readable_is_reported_and_the_others_are_shown(
    project: Path, rewrite: Callable[..., Report]
):
    folder = project / "reports" / "label_errors"
    write_text(folder / "broken.csv", "a,b\n1,2\n")
    write_text(folder / "good.csv", f"{HEADER}\n1,a,b,0.1,0.9,True\n")
    report = rewrite()
    assert [section.experiment for section in report.contents.label_errors] == ["good"]
    assert any("broken.csv" in message for message in report.contents.missing)
