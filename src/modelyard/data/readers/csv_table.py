"""The rules for CSV tables: one set for training and for `modelyard predict`, so that both read a file the same."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

import numpy as np

LARGEST = float(np.finfo(np.float32).max)  # a network takes float32
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars", " ": "blanks"}
PLACEHOLDER = re.compile(r"Unnamed: \d+")  # pandas's, for a column without a name
FLAGS = {"true": 1.0, "false": 0.0}


class TableError(Exception):
    """Why a table, or a row of it, cannot be used, and what to do."""


class MissingValueError(TableError):
    """A row has no value in a column."""


def read(path: Path) -> Iterator[list[str]]:
    """Yield the names of the columns, then the values of each row; blanks around both are no part of them.

    Empty lines are no rows. A row can have more or fewer values than there are names (see `Columns`).

    Raises:
        TableError: not comma-separated text in UTF-8 with a unique name for each column.
        OSError: the file cannot be opened.
    """
    with path.open(newline="", encoding="utf-8-sig") as content:  # spreadsheets write a byte order mark
        try:
            head = list(islice(content, 2))
            lines = csv.reader(chain(head, content), skipinitialspace=True, strict=True)
            rows = (row for line in lines if any(row := [value.strip() for value in line]) or len(row) > 1)
            names = next(rows, None)
            if names is None:
                raise TableError("it is empty; a header with the names of the columns is needed")
            _check_separator(head)
            _check_names(names)
            yield names
            yield from rows
        except csv.Error as error:
            raise TableError(f"not a CSV table: line {lines.line_num}: {error}") from None
        except UnicodeDecodeError as error:
            encoding = "UTF-16" if error.object[:2] in (b"\xff\xfe", b"\xfe\xff") else "Windows-1252 (cp1252)"
            raise TableError(
                f"not text in UTF-8 (byte 0x{error.object[error.start]:02x}), but perhaps in {encoding}. "
                "Save it in UTF-8; spreadsheets call this CSV UTF-8."
            ) from None


class Columns:
    """Columns of numbers, or of True and False as 1 and 0, among all columns of a table.

    Attributes:
        positions: the position of each column, by its name.
    """

    def __init__(self, header: Sequence[str], wanted: Iterable[str]) -> None:
        self._width = len(header)
        self.positions = {name: header.index(name) for name in wanted}
        self._have_flags: dict[str, bool] = {}

    def numbers(self, row: Sequence[str]) -> list[float]:
        """Return the numbers of a row, in the order of the wanted columns.

        Raises:
            TableError: too few or too many values, a missing value, or one that is not a finite float32 number or not
                of the same kind as those above it.
        """
        if len(row) != self._width:
            raise TableError(f"{len(row)} values, the header has {self._width} columns")
        return [self._number(name, row[position]) for name, position in self.positions.items()]

    def _number(self, name: str, text: str) -> float:
        number = FLAGS.get(text.lower())
        is_flag = number is not None
        if number is None:
            number = _number(name, text)
        if self._have_flags.setdefault(name, is_flag) != is_flag:
            others, here = ("numbers", "True or False") if is_flag else ("True or False", "a number")
            raise TableError(
                f"{text!r} in column {name!r} is {here}, and above it are {others}: write 1 for True, 0 for False"
            )
        return number


def _number(name: str, text: str) -> float:
    if not text:
        raise MissingValueError(f"no value in column {name!r}")
    try:
        number = float(text)
    except ValueError:
        number = np.nan
    if not abs(number) <= LARGEST or "_" in text or not text.isascii():  # float reads 1_000 and other scripts' digits
        raise TableError(
            f"{text!r} in column {name!r}, where a number belongs: "
            "write numbers like 1234.5 or 1e-3; encode text as numbers, or drop it"
        )
    return number


def _check_separator(head: Sequence[str]) -> None:
    """Refuse a table whose first two lines fit another separator better than commas."""

    def widths(separator: str) -> set[int]:
        return {len(next(csv.reader([line], delimiter=separator, skipinitialspace=True))) for line in head}

    if len(head) < 2 or (len(widths(",")) == 1 and widths(",") != {1}):
        return
    for separator, called in SEPARATORS.items():
        if len(widths(separator)) == 1 and widths(separator) != {1}:
            raise TableError(
                f"it seems to be separated by {called}, into {widths(separator).pop()} columns: "
                "save it separated by commas, with decimal points"
            )


def _check_names(names: Sequence[str]) -> None:
    for number, name in enumerate(names, start=1):
        if not name or PLACEHOLDER.fullmatch(name):
            raise TableError(
                f"column {number} of {len(names)} has no name{f' but the placeholder {name!r}' if name else ''}: "
                "name it, or remove it if it is an index (pandas: to_csv(index=False)) or comes from a comma at the "
                "end of each line"
            )
        if not all(character.isprintable() or character.isspace() for character in name):
            raise TableError(
                f"the name of column {number}, {name!r}, has invisible characters: write it anew, "
                "and save the file in UTF-8"
            )
    for name, count in Counter(names).items():
        if count > 1:
            raise TableError(f"the header names column {name!r} {count} times: rename or remove all but one")
