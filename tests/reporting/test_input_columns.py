"""What models take from a table, as its contract knows it: no category of few samples is named."""

from pathlib import Path

import numpy as np
import pytest
from support.houses import house_input

from modelyard.data.contract import describe_training
from modelyard.data.inputs import TrainingInput, save_description
from modelyard.reporting.input_columns import InputFiles, read_input_files


def save(data: TrainingInput, folder: Path) -> None:
    save_description(data.description, folder / "training")
    describe_training(data.samples.x, data.description).save(folder / "contract")


@pytest.fixture
def houses(tmp_path: Path) -> TrainingInput:
    (tmp_path / "training").mkdir()
    return house_input(tmp_path, "price")


def test_each_column_has_its_kind_its_training_values_and_whether_it_may_be_empty(
    houses: TrainingInput, tmp_path: Path
) -> None:
    save(houses, tmp_path)
    found = read_input_files(tmp_path)
    area = houses.training.x[:, 0]
    low, high = np.nanmin(area), np.nanmax(area)
    assert found.kind == "table"
    assert [(each.name, each.kind, each.gaps) for each in found.columns] == [
        ("area", "number", "yes"),
        ("rooms", "number", "no"),
        ("town", "category", "yes"),
        ("sold", "date, as %d.%m.%Y", "yes"),
        ("garden", "boolean", "no"),
        ("heating", "category", "yes"),
    ]
    values = {each.name: each.values for each in found.columns}
    assert values["area"] == f"{low:g} to {high:g}"
    assert values["town"] == "3 categories: Bonn, Köln, Ulm"
    assert values["sold"].startswith("2019-") and " to 2021-" in values["sold"]
    assert values["garden"] == "true, false"


def test_categories_of_few_samples_are_counted_and_not_named(houses: TrainingInput, tmp_path: Path) -> None:
    town = houses.training.x[:, 2]
    town[town == 1] = 0
    town[:2] = 1
    save(houses, tmp_path)
    (column,) = (each for each in read_input_files(tmp_path).columns if each.name == "town")
    assert column.values == "3 categories: Bonn, Ulm, 1 of fewer than 10 samples"
    assert column.categories == ("Bonn", "Ulm")


def test_without_the_prepared_samples_nothing_is_known(tmp_path: Path) -> None:
    assert read_input_files(tmp_path) == InputFiles()
