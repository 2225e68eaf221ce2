"""Slices are the values of a column, or the quarters of many numbers; an unknown column is refused."""

import numpy as np
import pytest

from modelyard.core.errors import ModelyardError
from modelyard.data.slices import slice_column

SEX = np.array(["male", "", "female", "male"], dtype=object)


def test_each_value_of_a_column_is_a_slice_and_so_are_its_gaps() -> None:
    found = slice_column("sex", {"sex": np.array([1, -1, 0, 1])}, {"sex": SEX})
    assert found.tolist() == ["male", "no value", "female", "male"]


def test_few_numbers_are_slices_each() -> None:
    texts = np.array(["1", "2", "3", "3"], dtype=object)
    assert slice_column("class", {"class": np.array([1.0, 2, 3, 3])}, {"class": texts}).tolist() == list(texts)


def test_many_numbers_are_divided_into_quarters_named_by_their_ends() -> None:
    ages = np.append(np.arange(40.0), np.nan)
    texts = np.array([*(f"{age:g}" for age in range(40)), ""], dtype=object)
    found = slice_column("age", {"age": ages}, {"age": texts})
    assert {name: int(np.sum(found == name)) for name in np.unique(found)} == {
        "0 to 9": 10,
        "10 to 19": 10,
        "20 to 29": 10,
        "30 to 39": 10,
        "no value": 1,
    }
    assert found[9] == "0 to 9" and found[10] == "10 to 19"


def test_quarters_that_are_equal_are_one_slice() -> None:
    fares = np.append(np.zeros(60), np.arange(1.0, 21))
    found = slice_column("fare", {"fare": fares}, {"fare": np.array([f"{fare:g}" for fare in fares], dtype=object)})
    assert set(found) == {"0", "1 to 20"}


@pytest.mark.parametrize(
    ("column", "texts", "said"),
    [
        ("sx", {"sex": SEX}, "the table has no such column; did you mean sex"),
        ("sex", {}, "this data set is no table"),
        ("name", {"name": np.array([f"name {number}" for number in range(60)])}, "60 different values"),
    ],
)
def test_a_column_without_slices_is_refused(column: str, texts: dict[str, np.ndarray], said: str) -> None:
    with pytest.raises(ModelyardError, match=said):
        slice_column(column, {"name": np.arange(60)}, texts)
