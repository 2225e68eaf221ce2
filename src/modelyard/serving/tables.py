"""Samples from CSV files, whose columns are found by name."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modelyard.data.inputs import InputDescription
from modelyard.serving.batch import PredictionBatch, Unreadable, open_all, stack

LARGEST = float(np.finfo(np.float32).max)  # a network takes float32


def read(files: Sequence[Path], description: InputDescription) -> PredictionBatch:
    """Read CSV files with a header as samples (n, features); other columns, such as the target, are ignored.

    A row with too few or too many values, or with anything but numbers in the features, is an error of the batch; so is
    a file without one of the columns.
    """
    file_of: list[str] = []
    row_of: list[int] = []
    samples: list[np.ndarray] = []
    warnings: list[str] = []
    errors: list[str] = []

    def open_table(file: Path) -> tuple[list[str], list[list[str]], dict[str, int]]:
        header, lines = _open(file)
        return header, lines, _positions(header, description)

    for file, (header, lines, positions) in open_all(files, open_table, errors):
        unused = [name for name in header if name not in positions]
        warnings += [f"{file}: unused columns: {', '.join(unused)}"] if unused else []
        for number, line in enumerate(lines, start=1):
            try:
                samples.append(_numbers(line, header, positions))
            except Unreadable as error:
                errors.append(f"{file}: row {number} below the header: {error}")
                continue
            file_of.append(str(file))
            row_of.append(number)
    names: dict[str, list[Any]] = {"row": row_of} if len(files) == 1 else {"file": file_of, "row": row_of}
    return PredictionBatch(names, stack(samples, description.shape, "float64"), tuple(warnings), tuple(errors))


def _open(file: Path) -> tuple[list[str], list[list[str]]]:
    """The header and the lines below it, without empty ones."""
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


def _positions(header: Sequence[str], description: InputDescription) -> dict[str, int]:
    """The position of each feature in a line, in the order that the model takes."""
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
        raise Unreadable(f"the header names column {twice[0]} {header.count(twice[0])} times; each name must be unique")
    return {name: header.index(name) for name in features}


def _numbers(line: Sequence[str], header: Sequence[str], positions: dict[str, int]) -> np.ndarray:
    if len(line) != len(header):
        raise Unreadable(f"{len(line)} values, the header has {len(header)} columns")
    return np.array(list(_checked(line, positions)))


def _checked(line: Sequence[str], positions: dict[str, int]) -> Iterator[float]:
    for name, position in positions.items():
        try:
            number = float(line[position])
        except ValueError:
            number = np.nan
        if not abs(number) <= LARGEST:
            raise Unreadable(f"{line[position]!r} in column {name}, where a number belongs")
        yield number
