"""The user's own table: one CSV file with a header and numbers in every column but the target of a classification."""

import re
import unicodedata
from array import array
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from modelyard.core.config import suggest
from modelyard.core.errors import ModelyardError
from modelyard.data.readers import csv_table
from modelyard.data.readers.base import CsvDatasetSettings, RawData
from modelyard.data.readers.csv_table import TableError
from modelyard.data.samples import TARGET_KINDS, Samples


class TableDataset(CsvDatasetSettings):
    """A table in a CSV file."""

    reader: Literal["table"]
    target: str = Field(description="the column to predict")


def read(folder: Path, settings: TableDataset) -> RawData:
    """Read features as float64 (n, columns - 1); targets as float64, or as class numbers in the order of their names.

    The classes of a classification are text, whatever they look like.

    Raises:
        ModelyardError: the table breaks a rule of `csv_table`, has no such target, missing values, text instead of
            numbers, too few rows, a constant target, or classes that are hardly meant so.
    """
    path = settings.csv_file(folder)
    try:
        return _read(path, settings)
    except TableError as error:
        raise ModelyardError(f"{settings.display_path(path)}: {error}") from None


def _read(path: Path, settings: TableDataset) -> RawData:
    rows = csv_table.read(path)
    header, target = next(rows), settings.target.strip()
    if target not in header:
        raise TableError(f"no column {target!r} (target); {suggest(target, header)}")
    features = tuple(name for name in header if name != target)
    has_classes = TARGET_KINDS[settings.task] == "class"
    columns = csv_table.Columns(header, features if has_classes else (*features, target))
    position = header.index(target)
    copies = [name for name in features if re.fullmatch(re.escape(target) + r"\.\d+", name)]
    values, targets, missing, count = array("d"), list[str](), list[str](), 0
    for count, row in enumerate(rows, start=1):
        try:
            values.extend(columns.numbers(row))
            if not row[position]:
                raise csv_table.MissingValueError(f"no value in column {target!r}")
        except csv_table.MissingValueError as error:
            missing.append(f"row {count} below the header: {error}")
        except TableError as error:
            raise TableError(f"row {count} below the header: {error}") from None
        targets.append(row[position])
        copies = [name for name in copies if row[header.index(name)] == row[position]]
    if missing:
        raise TableError(
            f"{len(missing)} row(s) with a missing value. Fill them in or drop these rows; the first: {missing[0]}"
        )
    if count < 2 or not features:
        raise TableError(
            f"{count} row(s) and {len(header)} column(s); at least two rows, one feature and the target are needed"
        )
    if copies:
        raise TableError(f"column {copies[0]!r} is a copy of the target {target!r}: remove it")
    numbers = np.array(values).reshape(count, -1)
    if has_classes:
        classes, y = _classes(targets, settings)
        return RawData(Samples(numbers, y), features=features, classes=classes)
    x, y = np.ascontiguousarray(numbers[:, :-1]), numbers[:, -1].copy()
    if np.ptp(y) == 0:
        raise TableError(
            f"column {target!r} (target) is {targets[0]} in every row, so there is nothing to predict: "
            "choose another target"
        )
    return RawData(Samples(x, y), features=features)


def _classes(labels: Sequence[str], settings: TableDataset) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    """Return the names of the classes and the class number of each label."""
    classes = tuple(name.strip() for name in settings.classes)
    if not classes:
        counts = Counter(labels)
        classes = tuple(sorted(counts))
        if len(classes) < 2:
            raise TableError(f"only one class, {classes[0]!r}, in column {settings.target!r}")
        _refuse_similar(classes)
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


def _refuse_similar(classes: Sequence[str]) -> None:
    """Refuse classes that differ in case, in forms of the same characters or in how a number is written."""
    seen: dict[str | Decimal, str] = {}
    for name in classes:
        other = seen.setdefault(_meaning(name), name)
        if other is not name:
            raise TableError(
                f"classes {other!r} and {name!r} are probably one: write them alike, or list all classes under "
                "`classes` if they differ"
            )


def _meaning(name: str) -> str | Decimal:
    """What a class name says, apart from case and from characters that look the same or are not seen."""
    with suppress(InvalidOperation):
        if (number := Decimal(name)).is_finite():
            return number
    shown = "".join(character for character in unicodedata.normalize("NFKC", name) if character.isprintable())
    return " ".join(shown.casefold().split())
