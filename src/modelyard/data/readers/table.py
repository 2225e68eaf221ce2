"""The user's own table: one file with a header, of numbers, categories and dates."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from operator import not_
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BeforeValidator, Field, model_validator

from modelyard.core.config import Settings, in_yaml, suggest
from modelyard.core.errors import ModelyardError
from modelyard.data.columns import (
    FLAGS,
    ISO,
    Column,
    DatePart,
    Kind,
    as_text,
    is_text,
    kind_of_type,
    to_numbers,
    type_error,
    without_gaps,
)
from modelyard.data.readers import table_file
from modelyard.data.readers.base import OneFileSettings, RawData
from modelyard.data.readers.class_names import find_similar
from modelyard.data.readers.csv_table import CsvFormat, RawTable, TableError
from modelyard.data.samples import TARGET_KINDS, Samples

if TYPE_CHECKING:
    import pyarrow as pa

MOST_CATEGORIES = 1000
ALWAYS_CATEGORIES = 20  # so many values of text are categories, in however few rows
ROWS_PER_CATEGORY = 10  # with more values than that, fewer rows for each are text that cannot be learnt from
ISO_DATE = r"^\d{4}-\d{2}-\d{2}([T ]|$)"
MIDNIGHT = r"^\D*\d{4}-\d{2}-\d{2}([T ]00:00(:00(\.0+)?)?)?$"

MissingValues = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda given: tuple(map(str, given)) if isinstance(given, list | tuple) else given),
]


class DateColumn(Settings):
    """A column of dates in another form than 2024-01-31."""

    kind: Literal["date"]
    format: str = Field(description="as in datetime.strptime, such as %d.%m.%Y")


class TableDataset(OneFileSettings, CsvFormat):
    """A table in a CSV, Parquet or Feather file."""

    reader: Literal["table"]
    target: str = Field(description="the column to predict")
    columns: dict[str, Kind | Literal["drop"] | DateColumn] = Field(
        default={}, exclude_if=not_, description="what a column holds, or drop; the others are found out"
    )
    missing: dict[str, MissingValues] = Field(
        default={}, exclude_if=not_, description="values of a column that mean no value; an empty field always does"
    )
    index: str | None = Field(
        default=None, exclude_if=not_, description="a column that numbers or names the rows: it is no feature"
    )

    @model_validator(mode="after")
    def _has_a_target_apart(self) -> "TableDataset":
        target = self.target.strip()
        if target in self.columns:
            raise ValueError(f"columns.{target}: it is the target, whose kind follows from `task`; leave it out")
        if target == self.index:
            raise ValueError(f"index: {target!r} is the target; name another column, or leave it out")
        return self

    @property
    def csv_format(self) -> CsvFormat:
        """How the file is written."""
        return CsvFormat(separator=self.separator, decimal=self.decimal, encoding=self.encoding)


class Keys(Mapping[str, np.ndarray]):
    """The columns of a table as `RawData.keys` has them, each converted when it is asked for."""

    def __init__(self, table: RawTable, settings: TableDataset) -> None:
        self._table, self._settings = table, settings

    def __getitem__(self, name: str) -> npt.NDArray[np.float64] | npt.NDArray[np.int64]:
        raw, missing = self._table.columns[name], self._settings.missing.get(name, ())
        column = _declared(name, self._settings) or _guess(name, raw, self._settings)
        if column is not None and column.kind != "category":
            found = to_numbers(raw, column, self._settings.decimal)
            if not found.errors:  # a column that is no feature may also have texts, which are no gaps
                return found.values[:, -1]
        texts = as_text(without_gaps(raw, missing))
        codes = to_numbers(raw, Column(name=name, kind="category", categories=_distinct(texts), missing=missing))
        return np.nan_to_num(codes.values[:, 0], nan=-1).astype(np.int64)

    def __iter__(self) -> Iterator[str]:
        return iter(self._table.columns)

    def __len__(self) -> int:
        return len(self._table.columns)


class Texts(Keys):
    """The columns of a table as `RawData.texts` has them."""

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        raw = without_gaps(self._table.columns[name], self._settings.missing.get(name, ()))
        return np.asarray(as_text(raw).fill_null("").to_numpy())


def read(folder: Path, settings: TableDataset) -> RawData:
    """Read features as float64 (n, features), NaN for gaps; targets as float64, or as class numbers.

    The classes of a classification are text, whatever they look like, in the order of their names.

    Raises:
        ModelyardError: the file cannot be read as a table (see `table_file`), has no such target, a value that does not
            fit its column, text of many values, too few rows, a constant target, or classes that are hardly meant so.
    """
    path = settings.file_in(folder)
    try:
        return parse(table_file.read(path, settings.csv_format), settings)
    except TableError as error:
        raise ModelyardError(f"{settings.display_path(path)}: {error}") from None


def find_columns(table: RawTable, settings: TableDataset) -> tuple[Column, ...]:
    """Return the columns of the features: as the settings have them, or found out from all values.

    Raises:
        TableError: a setting names no column, or a column is text of too many values.
    """
    for setting in (settings.columns, settings.missing, [settings.index] if settings.index else []):
        for name in setting:
            if name not in table.columns:
                raise TableError(f"no column {name!r}; {suggest(name, table.columns)}")
    found, refused = [], {}
    for name, raw in table.columns.items():
        if name in (settings.target.strip(), settings.index) or settings.columns.get(name) == "drop":
            continue
        column = find_column(name, raw, settings)
        if column is None:
            refused[name] = len(_distinct(as_text(without_gaps(raw, settings.missing.get(name, ())))))
        else:
            found.append(_complete(column, raw))
    if refused:
        raise TableError(_explain_text(refused, len(table.rows)))
    return tuple(found)


def find_column(name: str, raw: "pa.ChunkedArray", settings: TableDataset) -> Column | None:
    """Return what a column holds: as the settings have it, or found out; None for text of many values.

    Raises:
        TableError: it has no value at all, or ones of a type that no model takes, or not as this column.
    """
    declared = _declared(name, settings)
    if declared is not None and (error := type_error(raw, declared)):
        raise TableError(error)
    return declared or _guess(name, raw, settings)


def parse(table: RawTable, settings: TableDataset) -> RawData:
    """Return what `read` does, of a table whose file was read.

    Raises:
        TableError: see `read`.
    """
    target, names = settings.target.strip(), table.columns
    if target not in names:
        raise TableError(f"no column {target!r} (target); {suggest(target, names)}")
    for row, error in table.errors.items():
        raise TableError(f"row {row} below the header: {error}")
    if len(table.rows) < 2 or len(names) < 2:
        raise TableError(
            f"{len(table.rows)} row(s) and {len(names)} column(s); at least two rows, one feature and the target are "
            "needed"
        )
    columns = find_columns(table, settings)
    if not columns:
        raise TableError("no column is left for a feature; take one that is dropped back in")
    _refuse_copies(table, target, columns)
    features = tuple(feature for column in columns for feature in column.features)
    if repeated := [name for name, count in Counter(features).items() if count > 1]:
        raise TableError(
            f"column {repeated[0]!r} has the name of a feature that another column's dates become: rename the column"
        )
    x = np.empty((len(table.rows), len(features)))
    start = 0
    for column in columns:
        x[:, start : start + len(column.features)] = _values(table, column, settings)
        start += len(column.features)
    plain = settings.decimal == "." and not np.isnan(x).any()  # then a model takes the features as they are
    plain = plain and all(column.kind == "number" and not column.missing for column in columns)
    raw = RawData(
        Samples(x, np.empty(0)),
        features=features,
        columns=() if plain else columns,
        csv_format=None if plain and settings.csv_format == CsvFormat() else settings.csv_format,
        keys=Keys(table, settings),
        texts=Texts(table, settings),
    )
    if TARGET_KINDS[settings.task] == "class":
        classes, numbers = _classes(_labels(table, settings), settings)
        return replace(raw, samples=Samples(x, numbers), classes=classes)
    return replace(raw, samples=Samples(x, _targets(table, settings)))


def _declared(name: str, settings: TableDataset) -> Column | None:
    kind, missing = settings.columns.get(name), settings.missing.get(name, ())
    if kind is None or kind == "drop":
        return None
    if isinstance(kind, DateColumn):
        return Column(name=name, kind="date", date_format=kind.format, parts=("days",), missing=missing)
    return Column(name=name, kind=kind, parts=("days",) if kind == "date" else (), missing=missing)


def _guess(name: str, raw: "pa.ChunkedArray", settings: TableDataset) -> Column | None:
    """What a column holds, by all of its values; None for text of many values, and of no kind that models take."""
    import pyarrow as pa
    import pyarrow.compute as pc

    missing = settings.missing.get(name, ())
    values = without_gaps(raw, missing)
    present = len(values) - values.null_count
    if not present:
        raise TableError(
            f"column {name!r} has no value in any row: add `columns: {{{in_yaml(name)}: drop}}` to the data set"
        )
    if not is_text(values):
        kind = kind_of_type(values.type)
        if kind is None:
            raise TableError(
                f"column {name!r} holds {values.type}, which no model takes: add "
                f"`columns: {{{in_yaml(name)}: drop}}` to the data set"
            )
        return Column(name=name, kind=kind, parts=("days",) if kind == "date" else (), missing=missing)
    flags = pc.all(pc.is_in(pc.utf8_lower(values.drop_null()), value_set=pa.array(list(FLAGS)))).as_py()
    if flags or _are_mostly_numbers(values, settings.decimal):
        return Column(name=name, kind="boolean" if flags else "number", missing=missing)
    if pc.all(pc.match_substring_regex(values, ISO_DATE)).as_py():
        return Column(name=name, kind="date", parts=("days",), missing=missing)
    distinct = pc.count_distinct(values).as_py()
    if distinct <= ALWAYS_CATEGORIES or distinct <= min(MOST_CATEGORIES, present / ROWS_PER_CATEGORY):
        return Column(name=name, kind="category", missing=missing)
    return None


def _are_mostly_numbers(values: "pa.ChunkedArray", decimal: str) -> bool:
    """Whether most values are numbers, perhaps with a decimal comma: then the others are errors, and no categories."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        values.cast(pa.float64())
    except pa.ArrowInvalid:
        counts = values.drop_null().value_counts().flatten()
        texts, number = pa.chunked_array([counts[0]]), Column(name="", kind="number")
        wrong = min(
            pc.sum(counts[1].take(pa.array(to_numbers(texts, number, sign).errors, pa.int64()))).as_py() or 0
            for sign in (decimal, ",")
        )
        return bool(2 * wrong < len(values) - values.null_count)
    return True


def _complete(column: Column, raw: "pa.ChunkedArray") -> Column:
    """Add the categories of a column, or the parts of its dates; the hour only where a date has one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = without_gaps(raw, column.missing)
    if column.kind == "category":
        categories = _distinct(as_text(values))
        if len(categories) > MOST_CATEGORIES:
            raise TableError(
                f"column {column.name!r} has {len(categories)} categories; at most {MOST_CATEGORIES} can be learnt: "
                f"merge some, or add `columns: {{{in_yaml(column.name)}: drop}}` to the data set"
            )
        return column.model_copy(update={"categories": categories})
    if column.kind == "date":
        parts: tuple[DatePart, ...] = ("year", "month", "weekday", "hour", "days")
        if is_text(values):
            has_time = "%H" in column.date_format or "%I" in column.date_format
            if column.date_format == ISO:
                has_time = not pc.all(pc.match_substring_regex(values, MIDNIGHT)).as_py()
        else:
            has_time = pa.types.is_timestamp(values.type)
        return column.model_copy(update={"parts": parts if has_time else tuple(p for p in parts if p != "hour")})
    return column


def _explain_text(refused: Mapping[str, int], rows: int) -> str:
    named = ", ".join(f"{name!r} ({count} different values in {rows} rows)" for name, count in refused.items())
    lines = ", ".join(f"{in_yaml(name)}: drop" for name in refused)
    return (
        f"text of many values, from which nothing can be learnt as it is: {named}. Leave the columns out by adding to "
        f"the data set\n  columns: {{{lines}}}\nor write category for one whose values come again"
    )


def _values(table: RawTable, column: Column, settings: TableDataset) -> npt.NDArray[np.float64]:
    """The numbers of a column.

    Raises:
        TableError: its type does not fit, or a value: it names the first row with one.
    """
    if error := type_error(table.columns[column.name], column):
        raise TableError(error)
    found = to_numbers(table.columns[column.name], column, settings.decimal)
    for row in sorted(found.errors):
        more = f" ({len(found.errors)} such rows)" if len(found.errors) > 1 else ""
        raise TableError(f"row {table.rows[row]} below the header: {found.errors[row]}{more}")
    return found.values


def _targets(table: RawTable, settings: TableDataset) -> npt.NDArray[np.float64]:
    target = settings.target.strip()
    column = Column(name=target, kind="number", missing=settings.missing.get(target, ()), is_target=True)
    values = _values(table, column, settings)[:, 0]
    _refuse_missing_target(np.isnan(values), table, target)
    if np.ptp(values) == 0:
        raise TableError(
            f"column {target!r} (target) is {values[0]:g} in every row, so there is nothing to predict: "
            "choose another target"
        )
    return values


def _labels(table: RawTable, settings: TableDataset) -> list[str]:
    target = settings.target.strip()
    if error := type_error(table.columns[target], Column(name=target, kind="category")):
        raise TableError(error)
    texts = as_text(without_gaps(table.columns[target], settings.missing.get(target, ())))
    _refuse_missing_target(~texts.is_valid().to_numpy(), table, target)
    labels: list[str] = texts.to_pylist()
    return labels


def _refuse_missing_target(missing: npt.NDArray[np.bool_], table: RawTable, target: str) -> None:
    rows = np.flatnonzero(missing)
    if len(rows):
        raise TableError(
            f"{len(rows)} row(s) with a missing value. Fill them in or drop these rows; the first: "
            f"row {table.rows[rows[0]]} below the header: no value in column {target!r}"
        )


def _refuse_copies(table: RawTable, target: str, columns: Sequence[Column]) -> None:
    """Refuse what pandas makes of two columns with the name of the target."""
    for column in columns:
        if re.fullmatch(re.escape(target) + r"\.\d+", column.name):
            copy, original = (as_text(table.columns[name]) for name in (column.name, target))
            if copy.combine_chunks().equals(original.combine_chunks()):
                raise TableError(f"column {column.name!r} is a copy of the target {target!r}: remove it")


def _distinct(texts: "pa.ChunkedArray") -> tuple[str, ...]:
    return tuple(sorted(texts.unique().drop_null().to_pylist()))


def _classes(labels: Sequence[str], settings: TableDataset) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    """Return the names of the classes and the class number of each label."""
    classes = tuple(name.strip() for name in settings.classes)
    if not classes:
        counts = Counter(labels)
        classes = tuple(sorted(counts))
        if len(classes) < 2:
            raise TableError(f"only one class, {classes[0]!r}, in column {settings.target!r}")
        if similar := find_similar(classes):
            raise TableError(
                f"classes {similar[0]!r} and {similar[1]!r} are probably one: write them alike, or list all classes "
                "under `classes` if they differ"
            )
        single = [name for name in classes if counts[name] == 1]
        if single:
            raise TableError(
                f"{len(single)} of {len(classes)} classes in column {settings.target!r} occur in one row only, such as "
                f"{single[0]!r}, which cannot be in the training and the test samples. Add rows, drop or merge these "
                "classes, or list all classes under `classes`; numbers to predict are a `task: regression`"
            )
    numbers = {name: number for number, name in enumerate(classes)}
    unknown = sorted(set(labels) - set(classes))
    if unknown:
        raise TableError(f"class {unknown[0]!r} is not among `classes`; {suggest(unknown[0], classes)}")
    return classes, np.array([numbers[label] for label in labels], dtype=np.int64)
