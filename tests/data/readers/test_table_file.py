"""Files of tables in parts: the same rows and columns as the whole, whatever their number."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.data.readers import csv_table, table_file
from modelyard.data.readers.csv_table import CsvFormat, TableError


def write(path: Path, rows: int) -> Path:
    table = pd.DataFrame({"a": range(rows), "b": [f"t{row % 3}" for row in range(rows)]})
    {".csv": table.to_csv, ".parquet": table.to_parquet, ".feather": table.to_feather}[path.suffix](
        path, **({"index": False} if path.suffix == ".csv" else {})
    )
    return path


@pytest.mark.parametrize("ending", ["csv", "parquet", "feather"])
@given(rows=st.integers(0, 12), size=st.integers(1, 5))
def test_parts_are_the_whole_file_in_order(ending: str, rows: int, size: int, tmp_path_factory) -> None:
    file = write(tmp_path_factory.mktemp("tables") / f"rows.{ending}", rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_table, "PART", size)
        patch.setattr(table_file, "PART", size)
        parts = list(table_file.read_parts(file, CsvFormat()))
        whole = table_file.read(file, CsvFormat())
    assert list(parts[0].columns) == ["a", "b"]
    assert max(len(part.rows) for part in parts) <= size
    assert [row for part in parts for row in part.rows] == list(whole.rows) == list(range(1, rows + 1))
    assert whole.columns["a"].to_pylist() == [str(row) if ending == "csv" else row for row in range(rows)]
    assert [value for part in parts for value in part.columns["b"].to_pylist()] == whole.columns["b"].to_pylist()


def test_rows_above_a_break_are_read_before_it_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_table, "PART", 2)
    (tmp_path / "a.csv").write_text('a,b\n1,2\n3,4\n5,"6')
    parts = table_file.read_parts(tmp_path / "a.csv", CsvFormat())
    assert next(parts).columns["a"].to_pylist() == ["1", "3"]
    with pytest.raises(TableError, match="not a CSV table: line 4"):
        next(parts)
