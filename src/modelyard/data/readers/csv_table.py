"""CSV files: one set of rules for training and for `modelyard predict`, so that both read a file the same."""

import csv
import gzip
import io
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Literal, TextIO, cast

from pydantic import Field

from modelyard.core.config import Settings
from modelyard.data.trees import is_litter

if TYPE_CHECKING:
    import pyarrow as pa

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars", " ": "blanks"}
PLACEHOLDER = re.compile(r"Unnamed: \d+|__index_level_\d+__")
"""What pandas calls a column without a name, and its index."""
SEPARATOR_LINE = re.compile(r'"?sep=([^\w"])"?\r?\n', re.IGNORECASE)
"""What Excel takes for no row: which separator follows."""
NUMBER = re.compile(r"[-+]?[0-9]*[.,]?[0-9]+([eE][-+]?[0-9]+)?")
BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")  # of UTF-16, whose text has zeros as other files' bytes have
HEAD = 1024  # bytes that tell text from anything else
LONGEST = 10_000_000  # characters of a field; a quote that is not closed makes one of the rest of the file
PART = 10_000  # rows that are held as Python's own text at a time


class TableError(Exception):
    """Why a table, or a row of it, cannot be used, and what to do."""


class CsvFormat(Settings):
    """How a CSV file is written."""

    separator: Literal[",", ";", "\t", "|"] | None = Field(
        default=None, exclude_if=lambda value: value is None, description="null: found out from the first two rows"
    )
    decimal: Literal[".", ","] = Field(default=".", exclude_if=".".__eq__, description="the decimal sign of numbers")
    encoding: str = Field(
        default="utf-8", exclude_if="utf-8".__eq__, description="of the text, as Python names it, such as cp1252"
    )


@dataclass(frozen=True)
class RawTable:
    """The columns of a file, and the rows that cannot be divided into columns.

    Attributes:
        columns: the values of each column by name: text, or values with a type where the file has types.
        rows: the number of each row, counted from 1 below the header.
        errors: what is wrong with the rows that are left out, by their number.
    """

    columns: "dict[str, pa.ChunkedArray]"
    rows: Sequence[int]
    errors: Mapping[int, str] = field(default_factory=dict)


def read_parts(path: Path, format_: CsvFormat) -> Iterator[RawTable]:
    """Read a file in parts of at most PART rows; the first part has the columns even if there is no row.

    The file is compressed by gzip or zip if its name ends so. Names have no blanks around them; empty lines are no
    rows.

    Raises:
        TableError: not separated text with a unique name for each column.
        OSError: the file cannot be opened.
    """
    import pyarrow as pa

    csv.field_size_limit(LONGEST)  # by default 131,072
    with _open(path, format_.encoding) as content:
        try:
            head = [content.readline()]
            named = SEPARATOR_LINE.fullmatch(head[0])
            separator = format_.separator or (named[1] if named else _find_separator(head, content))
            lines = csv.reader(chain(head, content), delimiter=separator, skipinitialspace=True, strict=True)
            if named:
                next(lines)
            rows = ((lines.line_num, row) for row in lines if len(row) > 1 or any(map(str.strip, row)))
            names = [name.strip() for name in next(rows, (0, []))[1]]
            if not names:
                raise TableError("it is empty; a header with the names of the columns is needed")
            check_names(names)
            count = 0
            while (part := list(islice(rows, PART))) or not count:
                fitting, numbers, errors = [], list[int](), dict[int, str]()
                for number, (line, row) in enumerate(part, start=count + 1):
                    if len(row) == len(names):
                        fitting.append(row)
                        numbers.append(number)
                    else:
                        errors[number] = f"{len(row)} values, the header has {len(names)} columns (line {line})"
                columns = zip(*fitting, strict=True) if fitting else [()] * len(names)
                arrays = (pa.chunked_array([pa.array(values, pa.string())]) for values in columns)
                yield RawTable(dict(zip(names, arrays, strict=True)), numbers, errors)
                if not part:
                    return
                count += len(part)
        except csv.Error as error:
            raise TableError(f"not a CSV table: line {lines.line_num}: {error}") from None
        except UnicodeError as error:
            raise TableError(_explain_encoding(error, path, format_.encoding)) from None


@contextmanager
def _open(path: Path, encoding: str) -> Iterator[TextIO]:
    """Open the text of a file, which may be compressed."""
    if encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
        encoding = "utf-8-sig"  # spreadsheets write a byte order mark
    try:
        with _open_binary(path) as binary, io.TextIOWrapper(binary, encoding=encoding, newline="") as content:
            yield content
    except LookupError:
        raise TableError(f"`encoding: {encoding}` is unknown; write utf-8, cp1252, latin-1 or utf-16, say") from None
    except (gzip.BadGzipFile, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise TableError(f"the file is broken, or not compressed as its name says ({error})") from None


@contextmanager
def _open_binary(path: Path) -> Iterator[IO[bytes]]:
    if path.suffix == ".gz":
        with gzip.GzipFile(path) as content:
            yield cast("IO[bytes]", content)
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                    raise TableError(f"the archive's file {name!r} has a path that leads outside: pack it again")
            names = [name for name in archive.namelist() if not name.endswith("/") and not is_litter(name)]
            if len(names) != 1:
                raise TableError(f"the archive has {len(names)} files ({', '.join(names[:5])}); one table is needed")
            if archive.getinfo(names[0]).flag_bits & 1:
                raise TableError("the archive is encrypted: pack it again without a password")
            with archive.open(names[0]) as content:
                yield content
    else:
        with path.open("rb") as content:
            yield content


def _find_separator(head: list[str], content: TextIO) -> str:
    """Return the separator that gives the first two rows equally many columns: the comma, if it does.

    The lines that are read are appended to those of `head`: a row may have several.
    """

    def lines() -> Iterator[str]:
        yield from head
        for line in content:
            head.append(line)
            yield line

    def width(separator: str) -> int:
        rows = csv.reader(lines(), delimiter=separator, skipinitialspace=True, strict=True)
        with suppress(csv.Error):
            first, second = next(rows, []), next(rows, [])
            return len(first) if len(first) == len(second) else 1
        return 1

    for separator, called in SEPARATORS.items():
        if (count := width(separator)) > 1:
            if separator == " ":
                raise TableError(
                    f"it seems to be separated by {called}, into {count} columns: save it separated by commas, "
                    "semicolons or tabs"
                )
            return separator
    return ","


def check_names(names: Sequence[str]) -> None:
    """Refuse names of columns that are missing, invisible or not unique."""
    for number, name in enumerate(names, start=1):
        if not name or PLACEHOLDER.fullmatch(name):
            raise TableError(
                f"column {number} of {len(names)} has no name{f' but the placeholder {name!r}' if name else ''}: "
                "name it, or remove it if it is an index (pandas: index=False in to_csv, to_parquet) or comes from a "
                "comma at the end of each line"
            )
        if not all(character.isprintable() or character.isspace() for character in name):
            raise TableError(
                f"the name of column {number}, {name!r}, has invisible characters: write it again, "
                "and save the file in UTF-8"
            )
    if repeated := [f"{name!r} {count} times" for name, count in Counter(names).items() if count > 1]:
        raise TableError(f"the header names column {', '.join(repeated)}: rename or remove all but one of each")
    if all(NUMBER.fullmatch(name) for name in names):
        raise TableError(
            f"the first line, {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}, has numbers and no names of "
            "columns: write a header above it"
        )


def _explain_encoding(error: UnicodeError, path: Path, encoding: str) -> str:
    if not isinstance(error, UnicodeDecodeError):  # of a byte order mark that is missing
        return f"not text in {encoding}: {error}"
    with _open_binary(path) as binary:
        content = binary.read()
    lines = content.splitlines(keepends=True)
    if b"\0" in content[:HEAD] and not content.startswith(BYTE_ORDER_MARKS):
        return (
            "it is no text: a table is a CSV file, or one that ends in .parquet or .feather; save a spreadsheet as "
            "CSV UTF-8"
        )
    likely = "utf-16" if content.startswith(BYTE_ORDER_MARKS) else "cp1252"
    line = next((number for number, each in enumerate(lines, start=1) if not _is_text(each, encoding)), 1)
    return (
        f"line {line} is not text in {encoding.upper()} (byte 0x{error.object[error.start]:02x}). If it is in "
        f"{likely}, add `encoding: {likely}` to the data set; or save it in UTF-8, which spreadsheets call CSV UTF-8."
    )


def _is_text(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeError:
        return False
    return True
