"""Files of tables: CSV, Parquet and Feather, by the end of their name."""

from pathlib import Path

from modelyard.data.readers import csv_table
from modelyard.data.readers.csv_table import CsvFormat, RawTable, TableError

WITH_TYPES = (".parquet", ".feather", ".arrow")


def read(path: Path, format_: CsvFormat) -> RawTable:
    """Read the columns of a file; any other name than those of WITH_TYPES is a CSV file.

    Raises:
        TableError: the file is broken, or has no unique name for each column.
        OSError: it cannot be opened.
    """
    if path.suffix not in WITH_TYPES:
        return csv_table.read(path, format_)
    import pyarrow as pa
    import pyarrow.feather
    import pyarrow.parquet

    path.open("rb").close()  # an error of its own for a file that cannot be opened
    try:
        reader = pyarrow.parquet if path.suffix == ".parquet" else pyarrow.feather
        table = reader.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise TableError(
            f"not a whole {path.suffix[1:].capitalize()} file ({str(error).splitlines()[0]}): copy it again"
        ) from None
    names = [name.strip() for name in table.column_names]
    csv_table.check_names(names)
    return RawTable(dict(zip(names, table.columns, strict=True)), range(1, table.num_rows + 1))
