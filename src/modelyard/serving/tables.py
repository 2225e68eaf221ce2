"""Samples from files of tables, whose columns are found by name."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from modelyard.core.config import suggest
from modelyard.data.columns import Column, Numbers, to_numbers, type_error
from modelyard.data.inputs import InputDescription
from modelyard.data.readers import table_file
from modelyard.data.readers.csv_table import CsvFormat, RawTable, TableError
from modelyard.data.samples import TARGET_KINDS
from modelyard.serving.batch import FILES, PredictionBatch, Unreadable, open_all, shown_name, stack

if TYPE_CHECKING:
    import pyarrow as pa

NO_TABLES = (
    *(".xlsx", ".xlsm", ".xls", ".ods", ".json", ".jsonl", ".pdf"),
    *(".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"),
)
"""Endings of files that are no tables, or of a kind that is not read; any other file may be CSV."""


class ConvertedRows(NamedTuple):
    """The rows of a table as a model takes them.

    Attributes:
        x: float64 (n, features); rows with an error are to be left out.
        errors: what is wrong with a row, by its position from 0.
        unknown_by_row: by column, the category that training did not see, of each row that has one.
        incomplete: the rows whose only error is a gap where the model takes none: NaN in `x`.
    """

    x: np.ndarray
    errors: dict[int, str]
    unknown_by_row: dict[str, dict[int, str]]
    incomplete: frozenset[int]

    @property
    def unknown(self) -> dict[str, Counter[str]]:
        """By column, how many rows have each category that training did not see."""
        return {column: Counter(by_row.values()) for column, by_row in self.unknown_by_row.items()}


def read(
    files: Sequence[Path], description: InputDescription, target: str = "", keeps_incomplete: bool = False
) -> Iterator[PredictionBatch]:
    """Read CSV, Parquet or Feather files in parts, as samples (n, features); columns that no model takes are ignored.

    The rules are those of training. A row that breaks one is an error of its batch; so is a file that does, or that
    lacks one of the columns.

    Args:
        files: the files.
        description: the input of the model.
        target: the column of the true targets, to read as well; none by default. A row without one is a sample too.
        keeps_incomplete: whether rows that only lack a value which the model must have are samples, with NaN.
    """
    errors: list[str] = []
    for file, parts in open_all(files, lambda file: _open(file, description, target), errors):
        name, unknown = shown_name(file), defaultdict[str, Counter[str]](Counter)
        try:
            for table in parts:
                samples = to_samples(table.columns, description)
                for column, categories in samples.unknown.items():
                    unknown[column].update(categories)
                truth = _targets(table.columns[target], description, target) if target else None
                if keeps_incomplete:
                    complete = {row: each for row, each in samples.errors.items() if row not in samples.incomplete}
                    samples = samples._replace(errors=complete)
                yield _batch(table, samples, truth, name, len(files) > 1)
        except Unreadable as error:
            errors.append(f"{name}: {error}; what is above that was read")
        warnings = [*_unused_columns(table, description, target), *warn_of_unknown(unknown)]
        yield _remarks([f"{name}: {warning}" for warning in warnings], [], description)
    if errors:
        yield _remarks([], errors, description)


def _batch(
    table: RawTable, samples: ConvertedRows, truth: Numbers | None, name: str, are_several: bool
) -> PredictionBatch:
    wrong = dict(table.errors) | {table.rows[position]: error for position, error in samples.errors.items()}
    good = [position for position in range(len(table.rows)) if position not in samples.errors]
    names: dict[str, list[Any]] = {"file": [name] * len(good)} if are_several else {}
    of_answers = {table.rows[position]: error for position, error in truth.errors.items()} if truth else {}

    def lines(errors: Mapping[int, str]) -> tuple[str, ...]:
        return tuple(f"{name}: row {row} below the header: {errors[row]}" for row in sorted(errors))

    return PredictionBatch(
        names | {"row": [table.rows[position] for position in good]},
        samples.x[good],
        errors=lines(wrong),
        truth=truth.values[good, 0] if truth else None,
        answer_errors=lines(of_answers),
        unknown={
            column: {new: by_row[old] for new, old in enumerate(good) if old in by_row}
            for column, by_row in samples.unknown_by_row.items()
        },
    )


def _targets(raw: "pa.ChunkedArray", description: InputDescription, name: str) -> Numbers:
    """The true targets as numbers, those of a classification as class numbers; NaN where there is none."""
    decimal = description.csv_format.decimal if description.csv_format else "."
    if TARGET_KINDS[description.task] != "class":
        return _numbers(raw, Column(name=name, kind="number", is_target=True), decimal)
    found = _numbers(raw, Column(name=name, kind="category", categories=description.classes), decimal)
    errors = {}
    for row, text in found.unknown.items():
        found.values[row] = np.nan
        errors[row] = f"{text!r} in column {name!r} is no class of this model; {suggest(text, description.classes)}"
    return Numbers(found.values, errors)


def to_samples(columns: "Mapping[str, pa.ChunkedArray]", description: InputDescription) -> ConvertedRows:
    """Convert the columns of a table, found by name, to what a model takes.

    Raises:
        Unreadable: a column is missing, or has values of a type that it cannot have.
    """
    _refuse_missing_columns(columns, description)
    decimal = description.csv_format.decimal if description.csv_format else "."
    values = []
    errors: dict[int, str] = {}
    unread: set[int] = set()
    unknown: dict[str, dict[int, str]] = {}
    first = 0
    for column in _columns(description):
        found = _numbers(columns[column.name], column, decimal)
        values.append(found.values)
        errors = found.errors | errors
        unread.update(found.errors)
        if not description.takes_gaps(first):
            for row in np.flatnonzero(found.gaps).tolist():
                errors.setdefault(row, f"no value in column {column.name!r}")
        if found.unknown:
            unknown[column.name] = found.unknown
        first += len(column.features)
    return ConvertedRows(np.concatenate(values, axis=1), errors, unknown, frozenset(errors.keys() - unread))


def _numbers(raw: "pa.ChunkedArray", column: Column, decimal: str = ".") -> Numbers:
    """`to_numbers`, of a column that can have any type.

    Raises:
        Unreadable: the column cannot have values of this type.
    """
    if error := type_error(raw, column):
        raise Unreadable(error)
    return to_numbers(raw, column, decimal)


def warn_of_unknown(unknown: Mapping[str, Counter[str]]) -> Iterator[str]:
    """One warning for each column with categories that training did not see."""
    for column, counts in unknown.items():
        categories = sorted(counts)
        more = f" and {len(categories) - 5} more" if len(categories) > 5 else ""
        yield (
            f"categories of {column!r} that training did not see: {', '.join(categories[:5])}{more} "
            f"({counts.total()} row(s))"
        )


def _open(file: Path, description: InputDescription, target: str) -> Iterator[RawTable]:
    """The parts of a table that has the columns and at least one row."""
    parts = (part for part in _parts(file, description, target) if part.rows or part.errors)
    first = next(parts, None)
    if first is None:
        raise Unreadable("there is no row below the header")
    return chain([first], parts)


def why_no_table(file: Path) -> str:
    """What is wrong with the name of a file where a table is expected, and what to do; "" if nothing is."""
    if file.suffix.lower() not in NO_TABLES:
        return ""
    return f"a file *{file.suffix} is not read as a table: give {FILES['table']}. Spreadsheets can save as CSV UTF-8"


def _parts(file: Path, description: InputDescription, target: str) -> Iterator[RawTable]:
    if reason := why_no_table(file):
        raise Unreadable(reason)
    try:
        for part in table_file.read_parts(file, description.csv_format or CsvFormat()):
            _refuse_missing_columns(part.columns, description)
            if target and target not in part.columns:
                raise Unreadable(
                    f"there is no column {target!r} with the true targets; {suggest(target, part.columns)}"
                )
            yield part
    except FileNotFoundError:
        raise Unreadable("no such file") from None
    except OSError as error:
        raise Unreadable(f"it cannot be read ({error.strerror})") from None
    except TableError as error:
        raise Unreadable(str(error)) from None


def _remarks(warnings: Sequence[str], errors: Sequence[str], description: InputDescription) -> PredictionBatch:
    """A batch without samples."""
    return PredictionBatch({}, stack([], description.shape, "float64"), tuple(warnings), tuple(errors))


def _unused_columns(table: RawTable, description: InputDescription, target: str) -> Iterator[str]:
    used = {target, *column_names(description)}
    if unused := [column for column in table.columns if column not in used]:
        yield f"unused columns: {', '.join(unused)}"


def _refuse_missing_columns(given: Collection[str], description: InputDescription) -> None:
    used = column_names(description)
    missing = [name for name in used if name not in given]
    if missing:
        raise Unreadable(
            f"{len(missing)} of {len(used)} columns are missing: {', '.join(missing)}. "
            f"The model takes {', '.join(used)}; given are {', '.join(given) or 'none'}"
        )


def column_names(description: InputDescription) -> tuple[str, ...]:
    """The names of the columns that a model takes, in its order."""
    return tuple(column.name for column in _columns(description))


def _columns(description: InputDescription) -> tuple[Column, ...]:
    """The columns that a model takes, in its order."""
    if description.columns:
        return description.columns
    count = int(np.prod(description.shape))
    names = description.features or [f"feature {number}" for number in range(1, count + 1)]
    return tuple(Column(name=name, kind="number") for name in names)
