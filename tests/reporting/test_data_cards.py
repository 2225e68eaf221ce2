"""The cards of data sets."""

from support.paths import ROOT
from support.projects import data_card

from modelyard import params
from modelyard.core.files import write_json
from modelyard.reporting.data_cards import DatasetCard, data_cards
from modelyard.reporting.project_files import ProjectFiles

PROJECT = params.load(ROOT / "params.yaml")


def cards_of(files: ProjectFiles) -> dict[str, DatasetCard]:
    return {card.name: card for card in data_cards(files, PROJECT, {"data/raw/boston": "abc.dir"})}


def test_every_data_set_has_the_checksums_of_its_files(tmp_path) -> None:
    cards = cards_of(ProjectFiles(tmp_path))
    assert cards.keys() == PROJECT.datasets.keys()
    assert cards["boston"].files["boston_housing.csv"].startswith("sha256 8594f084")
    assert cards["boston"].raw_md5 == "abc.dir"
    assert cards["xor"].files == {"xor.csv": "written in params.yaml"}


def test_inputs_that_differ_in_scaling_alone_are_grouped(tmp_path) -> None:
    for name in ("boston", "boston_standard"):
        write_json(tmp_path / "data" / "inputs" / name / "data.json", data_card())
    ((first, second),) = cards_of(ProjectFiles(tmp_path))["boston"].groups
    assert (first.scaling, second.scaling) == ("none", "standard")
    assert (first.shape, first.constant_features, first.shared_samples) == ("13", 0, 1)
    assert [warning[:21] for warning in first.warnings] == ["1 distinct sample(s) "]
    assert first.parts[0].values["samples"] == 404
    assert first.parts[0].values["mean of the target"] == 22.5


def test_samples_are_counted_by_class(tmp_path) -> None:
    card = data_card()
    for part in card["parts"].values():
        part["rows_per_class"] = {"a": 3, "b": 4}
    write_json(tmp_path / "data" / "inputs" / "digits" / "data.json", card)
    (digits,) = cards_of(ProjectFiles(tmp_path))["digits"].inputs
    assert digits.classes == ["a", "b"]
    assert digits.parts[0].classes == {"a": 3, "b": 4}


def test_a_contract_of_another_version_costs_the_columns_alone(tmp_path) -> None:
    folder = tmp_path / "data" / "inputs" / "boston"
    write_json(folder / "data.json", data_card())
    write_json(folder / "training" / "input.json", {"old": 1})
    files = ProjectFiles(tmp_path)
    (first, *_) = cards_of(files)["boston"].inputs
    assert (first.name, first.files.columns) == ("boston", ())
    assert any("another version" in message for message in files.missing)


def test_an_input_without_a_card_is_missing(tmp_path) -> None:
    files = ProjectFiles(tmp_path)
    cards_of(files)
    assert len(files.missing) == len(PROJECT.inputs)
