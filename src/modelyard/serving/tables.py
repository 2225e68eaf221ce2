"""Samples of numbers from CSV files, by the names of their columns."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from modelyard.data.inputs import InputDescription
from modelyard.serving.batch import PredictionBatch, Unreadable, opened, stacked

LARGEST = float(np.finfo(np.float32).max)  # a network's input is no wider


def read(files: Sequence[Path], description: InputDescription) -> PredictionBatch:
    """Samples (n, features) of CSV files with a header; further columns, such as the target, are left unused.

    A row with too few or too many values, or without a number where one belongs, is refused; so is a file that lacks
    a column.
    """
    files_of, numbers_of, rows, changed, refused = [], [], [], [], []

    def open_table(file: Path) -> tuple[list[str], list[list[str]], dict[str, int]]:
        header, lines = _open(file)
        return header, lines, _places(header, description)

    for file, (header, lines, places) in opened(files, open_table, refused):
        unused = [name for name in header if name not in places]
        changed += [f"{file}: unused columns: {', '.join(unused)}"] if unused else []
        for number, line in enumerate(lines, start=1):
            try:
                rows.append(_numbers(line, header, places))
            except Unreadable as error:
                refused.append(f"{file}: row {number} below the header: {error}")
                continue
            files_of.append(str(file))
            numbers_of.append(number)
    names = {"row": numbers_of} if len(files) == 1 else {"file": files_of, "row": numbers_of}
    return PredictionBatch(names, stacked(rows, description.shape, "float64"), tuple(changed), tuple(refused))


def _open(file: Path) -> tuple[list[str], list[list[str]]]:
    """The header and the lines below it; empty ones do not count."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as content:  # spreadsheets write a byte order mark
            lines = [line for line in csv.reader(content, skipinitialspace=True, strict=True) if line]
    except FileNotFoundError:
        raise Unreadable("no such file") from None
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        raise Unreadable(f"not a CSV table in UTF-8 ({error})") from None
    if not lines:
        raise Unreadable("it is empty; a header with the names of the columns is needed")
    return [name.strip() for name in lines[0]], lines[1:]


def _places(header: Sequence[str], description: InputDescription) -> dict[str, int]:
    """Where each feature stands in a line, in the order that the model takes them."""
    count = int(np.prod(description.shape))
    features = description.features or tuple(f"feature {number}" for number in range(1, count + 1))
    missing = [name for name in features if name not in header]
    if missing:
        raise Unreadable(
            f"{len(missing)} of {len(features)} columns are missing: {', '.join(missing)}. "
            f"The header must name them; it names {', '.join(header)}"
        )
    twice = [name for name in features if header.count(name) > 1]
    if twice:
        raise Unreadable(f"column {twice[0]} stands there {header.count(twice[0])} times")
    return {name: header.index(name) for name in features}


def _numbers(line: Sequence[str], header: Sequence[str], places: dict[str, int]) -> np.ndarray:
    if len(line) != len(header):
        raise Unreadable(f"{len(line)} values, the header has {len(header)} columns")
    return np.array(list(_checked(line, places)))


def _checked(line: Sequence[str], places: dict[str, int]) -> Iterator[float]:
    for name, place in places.items():
        try:
            number = float(line[place])
        except ValueError:
            number = np.nan
        if not abs(number) <= LARGEST:
            raise Unreadable(f"{line[place]!r} in column {name}, where a number belongs")
        yield number
