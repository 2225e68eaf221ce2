"""Samples from files of tables, whose columns are found by name."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from modelyard.data.columns import Column, to_numbers
from modelyard.data.inputs import InputDescription
from modelyard.data.readers import table_file
from modelyard.data.readers.csv_table import CsvFormat, RawTable, TableError
from modelyard.serving.batch import PredictionBatch, Unreadable, open_all, shown_name, stack

if TYPE_CHECKING:
    import pyarrow as pa


class ConvertedRows(NamedTuple):
    """The rows of a table as a model takes them.

    Attributes:
        x: float64 (n, features); rows with an error are to be left out.
        errors: what is wrong with a row, by its position from 0.
        warnings: what was changed so that the model can take the rows.
    """

    x: np.ndarray
    errors: dict[int, str]
    warnings: list[str]


def read(files: Sequence[Path], description: InputDescription) -> PredictionBatch:
    """Read CSV, Parquet or Feather files as samples (n, features); other columns, such as the target, are ignored.

    The rules are those of training. A row that breaks one is an error of the batch; so is a file that does, or that
    lacks one of the columns.
    """
    file_of: list[str] = []
    row_of: list[int] = []
    parts: list[np.ndarray] = []
    warnings: list[str] = []
    errors: list[str] = []

    def open_table(file: Path) -> RawTable:
        return _open(file, description)

    for file, table in open_all(files, open_table, errors):
        name, used = shown_name(file), _columns(description)
        unused = [column for column in table.columns if column not in {each.name for each in used}]
        warnings += [f"{name}: unused columns: {', '.join(unused)}"] if unused else []
        samples = to_samples(table.columns, description)
        warnings += [f"{name}: {warning}" for warning in samples.warnings]
        wrong = dict(table.errors) | {table.rows[position]: error for position, error in samples.errors.items()}
        errors += [f"{name}: row {row} below the header: {wrong[row]}" for row in sorted(wrong)]
        good = [position for position in range(len(table.rows)) if position not in samples.errors]
        parts.append(samples.x[good])
        row_of += [table.rows[position] for position in good]
        file_of += [name] * len(good)
    names: dict[str, list[Any]] = {"row": row_of} if len(files) == 1 else {"file": file_of, "row": row_of}
    x = np.concatenate(parts) if parts else stack([], description.shape, "float64")
    return PredictionBatch(names, x, tuple(warnings), tuple(errors))


def to_samples(columns: "Mapping[str, pa.ChunkedArray]", description: InputDescription) -> ConvertedRows:
    """Convert the columns of a table, found by name, to what a model takes.

    Raises:
        Unreadable: a column is missing.
    """
    used = _columns(description)
    missing = [column.name for column in used if column.name not in columns]
    if missing:
        raise Unreadable(
            f"{len(missing)} of {len(used)} columns are missing: {', '.join(missing)}. "
            f"The header must name them; it names {', '.join(columns)}"
        )
    decimal = description.csv_format.decimal if description.csv_format else "."
    values, warnings = [], []
    errors: dict[int, str] = {}
    first = 0
    for column in used:
        found = to_numbers(columns[column.name], column, decimal)
        values.append(found.values)
        errors = found.errors | errors
        if not description.takes_gaps(first):
            for row in np.flatnonzero(found.gaps).tolist():
                errors.setdefault(row, f"no value in column {column.name!r}")
        if found.unknown:
            unknown = sorted(set(found.unknown.values()))
            more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
            warnings.append(
                f"categories of {column.name!r} that training did not see: {', '.join(unknown[:5])}{more} "
                f"({len(found.unknown)} row(s))"
            )
        first += len(column.features)
    return ConvertedRows(np.concatenate(values, axis=1), errors, warnings)


def _open(file: Path, description: InputDescription) -> RawTable:
    try:
        table = table_file.read(file, description.csv_format or CsvFormat())
    except FileNotFoundError:
        raise Unreadable("no such file") from None
    except OSError as error:
        raise Unreadable(f"it cannot be read ({error.strerror})") from None
    except TableError as error:
        raise Unreadable(str(error)) from None
    to_samples({name: values.slice(0, 0) for name, values in table.columns.items()}, description)
    if not table.rows and not table.errors:
        raise Unreadable("there is no row below the header")
    return table


def _columns(description: InputDescription) -> tuple[Column, ...]:
    """The columns that a model takes, in its order."""
    if description.columns:
        return description.columns
    count = int(np.prod(description.shape))
    names = description.features or [f"feature {number}" for number in range(1, count + 1)]
    return tuple(Column(name=name, kind="number") for name in names)
