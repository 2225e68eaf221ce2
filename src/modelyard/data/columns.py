"""Columns of a table: what each holds, and how its raw values become numbers, in training and prediction alike."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from operator import not_
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from modelyard.core.config import Settings, in_yaml

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Kind = Literal["number", "boolean", "category", "date"]
DatePart = Literal["year", "month", "weekday", "hour", "days"]

LARGEST = float(np.finfo(np.float32).max)  # a network takes float32
SMALLEST_CATEGORY = 10  # samples; a value that fewer have may be what a person wrote about themselves
RARE = "(rare)"  # stands for the values that fewer have, in what is kept or published
UNKNOWN = -1.0  # the code of a category that is not among those of the column
FLAGS = {"true": 1.0, "false": 0.0}
ISO = "ISO8601"
THOUSANDS = re.compile(r"-?[1-9]\d{0,2}(,\d{3})+(\.\d*)?")  # with commas between them
WORDS = ("now", "today")  # pandas takes them as the moment of reading, whatever the format
DAY = np.timedelta64(1, "D")


class Column(Settings):
    """One column of a table that a model takes."""

    name: str
    kind: Kind
    categories: tuple[str, ...] = Field(
        default=(), exclude_if=not_, description="of a category: the values with the codes 0, 1, ..."
    )
    missing: tuple[str, ...] = Field(
        default=(), exclude_if=not_, description="values that mean no value, besides an empty field"
    )
    date_format: str = Field(default=ISO, exclude_if=ISO.__eq__, description="as in datetime.strptime")
    parts: tuple[DatePart, ...] = Field(
        default=(), exclude_if=not_, description="of a date: the numbers that stand for it"
    )
    is_target: bool = Field(
        default=False, exclude_if=not_, description="whether it is to be predicted, so that no value may be missing"
    )

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the numbers that stand for the column: its own name, or one for each part of a date."""
        return tuple(f"{self.name} {part}" for part in self.parts) or (self.name,)


@dataclass
class Numbers:
    """The values of a column as numbers.

    Attributes:
        values: float64 of shape (n, number of features); NaN for a gap, UNKNOWN for an unknown category.
        errors: what is wrong with a value, by its row from 0.
        unknown: the categories that the column does not have, by row.
    """

    values: npt.NDArray[np.float64]
    errors: dict[int, str] = field(default_factory=dict)
    unknown: dict[int, str] = field(default_factory=dict)

    @property
    def gaps(self) -> npt.NDArray[np.bool_]:
        """Which rows have no value (n,)."""
        missing: npt.NDArray[np.bool_] = np.isnan(self.values[:, 0])
        missing[list(self.errors)] = False
        return missing


def to_numbers(raw: "pa.ChunkedArray", column: Column, decimal: str = ".") -> Numbers:
    """Convert the values of a column: text as a CSV file has it, or values with a type.

    Args:
        raw: the values of the column.
        column: what they are.
        decimal: the decimal sign of numbers in text.
    """
    return _CONVERSIONS[column.kind](without_gaps(raw, column.missing), column, decimal)


def type_error(raw: "pa.ChunkedArray", column: Column) -> str:
    """Why a column cannot have values of this type, and what to do; empty if it can."""
    import pyarrow as pa

    of = raw.type.value_type if pa.types.is_dictionary(raw.type) else raw.type
    if _is_text_type(of) or pa.types.is_null(of) or kind_of_type(of) in _KINDS_OF_TYPES[column.kind]:
        return ""
    advice = f": give its dates as text, such as {_example(column.date_format)}" if column.kind == "date" else ""
    return f"column {column.name!r} has values of the type {of}, which are no {_PLURALS[column.kind]}{advice}"


def kind_of_type(of: "pa.DataType") -> Kind | None:
    """What values of a type are; None for text, which can be anything, and for types that no model takes."""
    import pyarrow as pa

    types = pa.types
    if types.is_boolean(of):
        return "boolean"
    if types.is_integer(of) or types.is_floating(of) or types.is_decimal(of):
        return "number"
    return "date" if types.is_timestamp(of) or types.is_date(of) else None


def without_gaps(raw: "pa.ChunkedArray", missing: tuple[str, ...]) -> "pa.ChunkedArray":
    """Return the values with null for what means no value; text without the blanks around it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(raw.type):
        raw = raw.cast(raw.type.value_type)
    if pa.types.is_floating(raw.type):
        raw = pc.if_else(pc.is_nan(raw), pa.scalar(None, raw.type), raw)
    if is_text(raw):
        raw, missing = pc.utf8_trim_whitespace(raw), ("", *missing)
    if not missing:
        return raw
    texts = as_text(raw)
    return pc.if_else(pc.is_in(texts, value_set=pa.array(missing, texts.type)), pa.scalar(None, raw.type), raw)


def is_text(raw: "pa.ChunkedArray") -> bool:
    """Whether the values are text."""
    return _is_text_type(raw.type)


def _is_text_type(of: "pa.DataType") -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(of) or pa.types.is_large_string(of))


def as_text(raw: "pa.ChunkedArray") -> "pa.ChunkedArray":
    """Return values as text; whole numbers without a decimal point, whatever their type."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if is_text(raw):
        return raw
    if pa.types.is_floating(raw.type) and pc.all(pc.equal(raw, pc.floor(raw))).as_py() is not False:
        raw = raw.cast(pa.int64(), safe=False)
    return raw.cast(pa.string())


def number(text: str, column: Column, decimal: str = ".") -> float:
    """Return the number that a text of a column is.

    Raises:
        ValueError: it is none, or one that float32 does not hold; the message has the column and what to write.
    """
    plain = text
    if decimal != ".":
        plain = "x" if "." in text else text.replace(decimal, ".")
    try:
        value = float(plain)
    except ValueError:
        value = np.nan
    if not abs(value) <= LARGEST or "_" in text or not text.isascii():  # float reads 1_000 and other scripts' digits
        raise ValueError(
            f"{text!r} in column {column.name!r}, where a number belongs: write numbers like 1{decimal}5 or 1e-3"
            + _advice(text, column, decimal)
        )
    return value


def _advice(text: str, column: Column, decimal: str) -> str:
    """The line of params.yaml that makes sense of a text where a number belongs."""
    if decimal == "." and THOUSANDS.fullmatch(text):
        advice = "; if a comma stands between thousands, write the numbers without it"
        is_plainly_so = text.count(",") > 1 or "." in text
        return advice if is_plainly_so else f"{advice}; if it is a decimal comma, add `decimal: ','` to the data set"
    if decimal == "." and "," in text and _is_number(text.replace(".", "").replace(",", ".")):
        return "; if the comma is a decimal comma, add `decimal: ','` to the data set"
    if decimal == "," and "." in text and _is_number(text.replace(",", "")):
        return (
            "; the data set says `decimal: ','`: leave that out if the point is the decimal sign, or write the number "
            "without a point between thousands"
        )
    if _is_number(text) and np.isfinite(float(text)):
        return f", at most {LARGEST:.2g} in size, as float32 holds them"
    if _is_number(text) or column.is_target:
        return _gap_advice(text, column)
    return (
        f"{_gap_advice(text, column)}; if the column is text, add `columns: {{{in_yaml(column.name)}: category}}`, or "
        "drop instead of category"
    )


def _gap_advice(text: str, column: Column) -> str:
    if column.is_target:
        return "; if it means no value, leave the row out"
    return f"; if it means no value, add `missing: {{{in_yaml(column.name)}: [{in_yaml(text)}]}}` to the data set"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.isascii() and "_" not in text


def _numbers(raw: "pa.ChunkedArray", column: Column, decimal: str) -> Numbers:
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = is_text(raw)
    if pa.types.is_boolean(raw.type):
        raw = raw.cast(pa.int8())
    try:
        values = _float64(raw.cast(pa.float64(), safe=False))
    except pa.ArrowInvalid:
        values = np.full(len(raw), np.nan)
    if texts and decimal != "." and pc.any(pc.match_substring(raw, ".")).as_py():
        values[:] = np.nan  # a point is no decimal sign here
    found = Numbers(values[:, np.newaxis])
    flags = np.zeros(len(raw), dtype=bool)
    doubtful = np.flatnonzero(raw.is_valid().to_numpy() & ~(np.abs(values) <= LARGEST))
    written = raw.take(doubtful).to_pylist()
    flags[doubtful] = [str(value).lower() in FLAGS for value in written]
    takes_flags = column.kind == "boolean" or flags.any()
    for row, text in zip(doubtful.tolist(), map(str, written), strict=True):
        try:
            values[row] = FLAGS[text.lower()] if flags[row] else number(text, column, decimal)
        except ValueError as error:
            values[row] = np.nan
            found.errors[row] = _no_flag(text, column) if takes_flags else str(error)
    if column.kind == "number":  # -999.0 is what -999 means
        values[np.isin(values, list(_numbers_among_gaps(column, decimal)))] = np.nan
    if column.kind == "boolean":
        for row in np.flatnonzero(~np.isnan(values) & ~np.isin(values, (0, 1))).tolist():
            found.errors[row] = _no_flag(str(raw[row].as_py()), column)
    _refuse_mixed(found, flags, raw, column.name)
    return found


def _numbers_among_gaps(column: Column, decimal: str) -> Iterator[float]:
    for text in column.missing:
        with suppress(ValueError):
            yield number(text, column, decimal)


def _no_flag(text: str, column: Column) -> str:
    return f"{text!r} in column {column.name!r}, where True or False belongs, or 1 or 0{_gap_advice(text, column)}"


def _refuse_mixed(found: Numbers, is_flag: npt.NDArray[np.bool_], raw: "pa.ChunkedArray", name: str) -> None:
    """Add an error for each number in a column of True and False, and the other way round, by its first value."""
    rows = np.flatnonzero(~np.isnan(found.values[:, 0]))
    for row in rows[is_flag[rows] != is_flag[rows[0]]].tolist() if is_flag.any() else ():
        others, here = ("numbers", "True or False") if is_flag[row] else ("True or False", "a number")
        found.errors[row] = (
            f"{raw[row].as_py()!r} in column {name!r} is {here}, and above it are {others}: write 1 for True, "
            "0 for False"
        )


def _categories(raw: "pa.ChunkedArray", column: Column, decimal: str) -> Numbers:
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = as_text(raw)
    codes = pc.index_in(texts, value_set=pa.array(column.categories, texts.type))
    found = Numbers(_float64(codes.cast(pa.float64()))[:, np.newaxis])
    unknown = np.flatnonzero(texts.is_valid().to_numpy() & found.gaps).tolist()
    known = {text: code for code, text in enumerate(column.categories)} if unknown else {}
    for row in unknown:
        text, zero = texts[row].as_py(), f"{decimal}0"
        # pandas writes 1.0 for the category 1 where other rows have none.
        found.values[row] = code = known.get(text.removesuffix(zero), known.get(text + zero, UNKNOWN))
        if code == UNKNOWN:
            found.unknown[row] = text
    return found


def _dates(raw: "pa.ChunkedArray", column: Column, _decimal: str) -> Numbers:
    import pandas as pd

    texts = is_text(raw)
    series = raw.to_pandas()
    if texts:
        series = series.mask(series.isin(WORDS))
    dates = pd.to_datetime(series, format=column.date_format if texts else None, errors="coerce", utc=True)
    moments = pd.DatetimeIndex(dates).tz_localize(None)
    values = np.column_stack([_PARTS[part](moments) for part in column.parts])
    unread = np.flatnonzero(raw.is_valid().to_numpy() & np.asarray(moments.isna()))
    errors = {
        int(row): f"{raw[int(row)].as_py()!r} in column {column.name!r} is no date such as "
        + _example(column.date_format)
        for row in unread
    }
    return Numbers(values, errors)


def _example(date_format: str) -> str:
    """The end of January 2024, half past nine, as a date of this form."""
    if date_format == ISO:
        return "2024-01-31 or 2024-01-31 09:30"
    return datetime(2024, 1, 31, 9, 30).strftime(date_format)


def _days(moments: "pd.DatetimeIndex") -> npt.NDArray[np.float64]:
    return np.asarray((moments - np.datetime64(0, "s")) / DAY, dtype=np.float64)


_PARTS: dict[DatePart, Callable[["pd.DatetimeIndex"], Any]] = {
    "year": lambda moments: moments.year,
    "month": lambda moments: moments.month,
    "weekday": lambda moments: moments.weekday,
    "hour": lambda moments: moments.hour,
    "days": _days,  # since 1970, in fractions; the first training date is subtracted within the model
}

_PLURALS: dict[Kind, str] = {"number": "numbers", "boolean": "flags", "category": "categories", "date": "dates"}

_KINDS_OF_TYPES: dict[Kind, tuple[Kind | None, ...]] = {
    "number": ("number", "boolean"),
    "boolean": ("number", "boolean"),
    "category": ("number", "boolean", "date"),
    "date": ("date",),  # numbers could be days, seconds or years; pandas would take them as nanoseconds
}

_CONVERSIONS: dict[Kind, Callable[["pa.ChunkedArray", Column, str], Numbers]] = {
    "number": _numbers,
    "boolean": _numbers,
    "category": _categories,
    "date": _dates,
}


def _float64(values: "pa.ChunkedArray") -> npt.NDArray[np.float64]:
    """A writable array with NaN for null."""
    return np.array(values.to_numpy(), dtype=np.float64)
