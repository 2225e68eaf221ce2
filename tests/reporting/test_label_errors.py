"""What `modelyard label-errors` found, in the report."""

from collections.abc import Callable
from pathlib import Path

from support.houses import house_input
from support.projects import data_card, draw
from support.reports import Report

from modelyard.core.files import write_json, write_text
from modelyard.data.contract import describe_training
from modelyard.data.inputs import save_description
from modelyard.reporting.label_errors import NOT_SHOWN, SHOWN

HEADER = "row,label,suggested,probability_of_label,probability_of_suggested,likely_error"


def test_each_file_is_a_section_with_its_first_rows_and_its_images(project: Path, rewrite: Callable[..., Report]):
    folder = project / "reports" / "label_errors"
    rows = [f"{row},01,<b>2</b>,0.00123456,0.99,{row < 3}" for row in range(1, 31)]
    write_text(folder / "digits_cnn.csv", "\n".join([HEADER, *rows]) + "\n")
    draw(folder / "digits_cnn.png")
    write_input(project, "digits", {"01": 300, "<b>2</b>": 10})
    report = rewrite()
    (section,) = report.contents.label_errors
    assert (section.experiment, section.total, section.likely_errors) == ("digits_cnn", 30, 2)
    assert section.columns[3] == "probability of label"
    assert section.rows[0] == ["1", "01", "<b>2</b>", "0.001235", "0.99", "yes"]
    assert len(section.rows) == SHOWN
    assert [image.file for image in section.images] == ["reports/label_errors/digits_cnn.png"]
    assert "#label-errors" in report.page.links and "label-errors" in report.page.ids
    assert "2 of the 30 listed samples have a likely label error" in report.page.text
    assert f"The first {SHOWN} of 30 samples." in report.page.text


def write_input(project: Path, name: str, classes: dict[str, int]) -> None:
    card = data_card()
    card["parts"]["training"]["rows_per_class"] = classes
    card["parts"]["test"]["rows_per_class"] = dict.fromkeys(classes, 0)
    write_json(project / "data" / "inputs" / name / "data.json", card)


def test_names_of_rare_classes_are_not_shown(project: Path, rewrite: Callable[..., Report]):
    write_input(project, "digits", {"common": 300, "rare": 9})
    write_text(project / "reports" / "label_errors" / "digits_cnn.csv", f"{HEADER}\n1,common,rare,0.1,0.9,True\n")
    (section,) = rewrite().contents.label_errors
    assert section.rows[0][1:3] == ["common", NOT_SHOWN]


def test_names_of_rare_categories_are_not_shown(project: Path, rewrite: Callable[..., Report], tmp_path: Path):
    data = house_input(tmp_path, "size")
    town = data.training.x[:, 2]
    town[town == 1] = 0  # leaves no Köln
    folder = project / "data" / "inputs" / "digits"
    write_input(project, "digits", {"small": 50, "large": 50})
    (folder / "training").mkdir()
    save_description(data.description, folder / "training")
    describe_training(data.samples.x, data.description).save(folder / "contract")
    rows = ["1,small,large,0.1,0.9,True,80.5,Bonn", "2,small,large,0.1,0.9,True,99.0,Köln"]
    write_text(project / "reports/label_errors/digits_cnn.csv", "\n".join([f"{HEADER},area,town", *rows]) + "\n")
    report = rewrite()
    (section,) = report.contents.label_errors
    assert [row[-2:] for row in section.rows] == [["80.5", "Bonn"], ["99", NOT_SHOWN]]
    assert "Not shown: classes and categories of fewer than 10 samples." in report.page.text


def test_without_the_contract_no_feature_is_shown(project: Path, rewrite: Callable[..., Report]):
    write_text(project / "reports" / "label_errors" / "digits_cnn.csv", f"{HEADER},town\n1,a,b,0.1,0.9,True,Ulm\n")
    report = rewrite()
    (section,) = report.contents.label_errors
    assert section.rows == [["1", NOT_SHOWN, NOT_SHOWN, "0.1", "0.9", "yes"]]
    assert "Ulm" not in report.page.text and "the input's data card or contract is not here" in report.page.text


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
