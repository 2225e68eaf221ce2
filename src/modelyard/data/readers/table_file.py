"""Files of tables: CSV, Parquet and Feather, by the end of their name."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.data.readers import csv_table
from modelyard.data.readers.csv_table import PART, CsvFormat, RawTable, TableError

if TYPE_CHECKING:
    import pyarrow as pa

WITH_TYPES = (".parquet", ".feather", ".arrow")


def read(path: Path, format_: CsvFormat) -> RawTable:
    """Read the columns of a file; any other name than those of WITH_TYPES is a CSV file.

    Raises:
        TableError: the file is broken, or has no unique name for each column.
        OSError: it cannot be opened.
    """
    import pyarrow as pa

    parts = list(read_parts(path, format_))
    columns = {
        name: pa.chunked_array([chunk for part in parts for chunk in part.columns[name].chunks], values.type)
        for name, values in parts[0].columns.items()
    }
    errors = {row: error for part in parts for row, error in part.errors.items()}
    return RawTable(columns, [row for part in parts for row in part.rows], errors)


def read_parts(path: Path, format_: CsvFormat) -> Iterator[RawTable]:
    """Read a file as `read` does, in parts of at most PART rows; only a Feather file is in memory as a whole.

    The first part has the columns even if there is no row.
    """
    if path.suffix not in WITH_TYPES:
        yield from csv_table.read_parts(path, format_)
        return
    import pyarrow as pa

    path.open("rb").close()  # an error of its own for a file that cannot be opened
    try:
        first = 1
        for part in _parts_with_types(path):
            names = [name.strip() for name in part.column_names]
            csv_table.check_names(names)
            yield RawTable(
                dict(zip(names, map(_without_views, part.columns), strict=True)), range(first, first + part.num_rows)
            )
            first += part.num_rows
    except (pa.ArrowInvalid, OSError) as error:
        raise TableError(
            f"not a whole {path.suffix[1:].capitalize()} file ({str(error).splitlines()[0]}): copy it again"
        ) from None


def _without_views(values: "pa.ChunkedArray") -> "pa.ChunkedArray":
    """Text as other files have it; few functions of Arrow take the string views that newer programs write."""
    import pyarrow as pa

    return values.cast(pa.large_string()) if pa.types.is_string_view(values.type) else values


def _parts_with_types(path: Path) -> "Iterator[pa.Table]":
    import pyarrow as pa
    import pyarrow.feather
    import pyarrow.parquet

    if path.suffix == ".parquet":
        with pyarrow.parquet.ParquetFile(path) as file:
            yield file.schema_arrow.empty_table()
            yield from (pa.Table.from_batches([batch]) for batch in file.iter_batches(PART))
        return
    table = pyarrow.feather.read_table(path)
    yield table.slice(0, 0)
    yield from (table.slice(start, PART) for start in range(0, table.num_rows, PART))
