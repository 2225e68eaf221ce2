"""CSV files: columns by name, malformed rows and files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from support.batches import join
from support.training_inputs import tabular_input

from modelyard.data.columns import Column
from modelyard.data.readers import csv_table
from modelyard.serving import tables
from modelyard.serving.batch import PredictionBatch

DESCRIPTION = tabular_input().description


def read_table(content: str, tmp_path: Path, name: str = "rows.csv") -> PredictionBatch:
    (tmp_path / name).write_bytes(content.encode())
    return join(tables.read([tmp_path / name], DESCRIPTION))


def test_columns_are_found_by_name_in_any_order_and_unused_ones_are_a_warning(tmp_path: Path) -> None:
    batch = read_table("price,c, a,b\n9,3,1,2\n\n9,6,4,5\n", tmp_path)
    np.testing.assert_array_equal(batch.x, [[1, 2, 3], [4, 5, 6]])
    assert batch.names == {"row": [1, 2]}
    assert batch.warnings == (f"{tmp_path}/rows.csv: unused columns: price",)
    assert batch.errors == ()


@pytest.mark.parametrize(
    "line, error",
    [
        ("4,5", "2 values, the header has 3 columns"),
        ("4,5,6,7", "4 values, the header has 3 columns"),
        ("4,,6", "no value in column 'b'"),
        ("4,nan,6", "'nan' in column 'b', where a number belongs"),
        ("4,5,inf", "'inf' in column 'c', where a number belongs"),
        ("4,5,1e39", "'1e39' in column 'c', where a number belongs"),
        ("four,5,6", "'four' in column 'a', where a number belongs"),
    ],
)
def test_a_malformed_row_is_an_error_and_the_others_are_read(line: str, error: str, tmp_path: Path) -> None:
    batch = read_table(f"a,b,c\n1,2,3\n{line}\n7,8,9\n", tmp_path)
    np.testing.assert_array_equal(batch.x, [[1, 2, 3], [7, 8, 9]])
    assert batch.names == {"row": [1, 3]}
    (message,) = batch.errors
    assert message.startswith(f"{tmp_path}/rows.csv: row 2 below the header: {error}")


@pytest.mark.parametrize("values", [["1", "", "2", "0", "0.5"], [1.0, None, 2.0, 0.0, 0.5]])
def test_a_number_other_than_1_and_0_in_a_column_of_booleans_is_an_error(values: list) -> None:
    columns = (Column(name="a", kind="boolean"), *map(number_column, "bc"))
    raw = {name: pa.chunked_array([values if name == "a" else [1.0] * 5]) for name in "abc"}
    samples = tables.to_samples(raw, DESCRIPTION.model_copy(update={"columns": columns}))
    assert sorted(samples.errors) == [1, 2, 4]
    assert samples.errors[1] == "no value in column 'a'"
    for row in (2, 4):
        assert samples.errors[row].startswith(f"'{values[row]}' in column 'a', where True or False belongs")
    assert samples.x[[0, 3], 0].tolist() == [1, 0]


def test_a_parquet_column_of_a_type_without_numbers_is_an_error_with_its_name(tmp_path: Path) -> None:
    values = {"a": [1.0], "b": pd.to_datetime(["2024-01-01"]), "c": [3.0]}
    pd.DataFrame(values).to_parquet(tmp_path / "rows.parquet")
    batch = join(tables.read([tmp_path / "rows.parquet"], DESCRIPTION))
    assert len(batch) == 0
    assert "column 'b' has values of the type timestamp[" in batch.errors[0]
    assert "which are no numbers" in batch.errors[0]


@pytest.mark.parametrize(
    "content, message",
    [
        ("a,c\n1,3\n", "1 of 3 columns are missing: b. The model takes a, b, c; given are a, c"),
        ("x,y,z\n4,5,6\n", "3 of 3 columns are missing: a, b, c"),
        ("a,b,c,b\n1,2,3,4\n", "the header names column 'b' 2 times"),
        ("", "it is empty"),
        ("a,b,c\n", "there is no row below the header"),
        ('a,b,c\n1,"2,3\n', "not a CSV table: line 2"),
    ],
)
def test_a_malformed_table_is_an_error(content: str, message: str, tmp_path: Path) -> None:
    batch = read_table(content, tmp_path)
    assert len(batch) == 0
    (error,) = batch.errors
    assert error.startswith(f"{tmp_path}/rows.csv: ")
    assert message in error


@pytest.mark.parametrize("name", ["rows.xlsx", "rows.XLS", "rows.json", "rows.png"])
def test_a_file_of_another_kind_is_an_error_that_says_what_is_read(name: str, tmp_path: Path) -> None:
    batch = read_table("a,b,c\n1,2,3\n", tmp_path, name)
    assert batch.errors == (
        f"{tmp_path}/{name}: a file *{Path(name).suffix} is not read as a table: give tables (CSV, Parquet or "
        "Feather). Spreadsheets can save as CSV UTF-8",
    )


def test_a_malformed_table_does_not_stop_the_next_from_being_read(tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_bytes("\ufeffa,b,c\r\n1,2,3\r\n".encode())
    (tmp_path / "image.png").write_bytes(b"\x89PNG\xff")
    files = [tmp_path / name for name in ("image.png", "good.csv", "absent.csv")]
    batch = join(tables.read(files, DESCRIPTION))
    assert batch.names == {"file": [str(tmp_path / "good.csv")], "row": [1]}
    np.testing.assert_array_equal(batch.x, [[1, 2, 3]])
    assert [text.split(": ")[0] for text in batch.errors] == [str(files[0]), str(files[2])]


def test_a_table_is_read_in_parts_and_a_break_in_a_later_one_keeps_those_above(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(csv_table, "PART", 2)
    (tmp_path / "rows.csv").write_text('a,b,c,d\n1,2,3,0\n4,5,6,0\n7,x,9,0\n1,2,3,0\n"1,2,3,0\n')
    *samples, remarks, errors = tables.read([tmp_path / "rows.csv"], DESCRIPTION)
    assert [batch.names["row"] for batch in samples] == [[1, 2], [4]]
    assert [len(batch.errors) for batch in samples] == [0, 1]
    assert remarks.warnings == (f"{tmp_path}/rows.csv: unused columns: d",)
    (error,) = errors.errors
    assert error.endswith("; what is above that was read")


def test_categories_that_training_did_not_see_are_counted_over_all_parts(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(csv_table, "PART", 2)
    columns = (Column(name="a", kind="category", categories=("x",)), *map(number_column, "bc"))
    (tmp_path / "rows.csv").write_text("a,b,c\n" + "x,1,1\n" + "y,1,1\n" * 3 + "z,1,1\n")
    batch = join(tables.read([tmp_path / "rows.csv"], DESCRIPTION.model_copy(update={"columns": columns})))
    (warning,) = batch.warnings
    assert warning.endswith("categories of 'a' that training did not see: y, z (4 row(s))")
    assert len(batch) == 5


def test_pandas_decimal_point_behind_the_number_of_a_class_is_no_other_class(tmp_path: Path) -> None:
    description = DESCRIPTION.model_copy(update={"task": "classification", "classes": ("0", "1")})
    (tmp_path / "rows.csv").write_text("a,b,c,y\n1,2,3,1.0\n1,2,3,\n1,2,3,0\n1,2,3,1.5\n")
    batch, _ = tables.read([tmp_path / "rows.csv"], description, "y")
    np.testing.assert_array_equal(batch.truth, [1, np.nan, 0, np.nan])
    (error,) = batch.answer_errors
    assert error.startswith(f"{tmp_path}/rows.csv: row 4 below the header: '1.5' in column 'y' is no class")


def number_column(name: str) -> Column:
    return Column(name=name, kind="number")
