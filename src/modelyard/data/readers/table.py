"""The user's own table: one CSV file with a header and numbers in every column but the target of a classification."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from modelyard.core.config import suggest
from modelyard.core.errors import ModelyardError
from modelyard.data.readers.base import DatasetSettings, RawData
from modelyard.data.samples import TARGET_KINDS, Samples

if TYPE_CHECKING:
    import pandas as pd


class TableDataset(DatasetSettings):
    """A table in a CSV file."""

    reader: Literal["table"]
    target: str = Field(description="the column to predict")

    @model_validator(mode="after")
    def _is_one_file(self) -> "TableDataset":
        if len(self.files) != 1:
            raise ValueError(f"a table is one CSV file; {len(self.files)} files are given")
        return self


def read(folder: Path, settings: TableDataset) -> RawData:
    """Read features as float64 (n, columns - 1); targets as float64, or as class numbers in the order of their names.

    Raises:
        ModelyardError: no such target, missing values, text instead of numbers, too few rows.
    """
    path = folder / next(iter(settings.files))
    file = settings.display_path(path)
    table = _load(path, file)
    if settings.target not in table:
        raise ModelyardError(
            f"{file}: no column {settings.target!r} (target); {suggest(settings.target, table.columns)}"
        )
    _refuse_missing(table, file)
    features = table.drop(columns=settings.target)
    numbers = _numbers(features, file)
    if TARGET_KINDS[settings.task] == "number":
        values = _numbers(table[[settings.target]], file)[:, 0]
        return RawData(Samples(numbers, values), features=tuple(map(str, features)))
    classes, labels = _classes(table[settings.target], settings, file)
    return RawData(Samples(numbers, labels), features=tuple(map(str, features)), classes=classes)


def _load(path: Path, file: str) -> "pd.DataFrame":
    import pandas as pd

    try:
        table = pd.read_csv(path, skipinitialspace=True, keep_default_na=False, na_values=[""])
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ModelyardError(f"{file}: not a CSV table with a header in UTF-8 ({str(error).strip()})") from None
    if not isinstance(table.index, pd.RangeIndex):
        raise ModelyardError(f"{file}: the rows have more values than the header has names. Name every column.")
    if len(table) < 2 or table.shape[1] < 2:
        raise ModelyardError(
            f"{file}: {len(table)} row(s) and {table.shape[1]} column(s); "
            "at least two rows, one feature and the target are needed"
        )
    return table


def _refuse_missing(table: "pd.DataFrame", file: str) -> None:
    rows, columns = np.nonzero(table.isna().to_numpy())
    if len(rows):
        raise ModelyardError(
            f"{file}: {len(rows)} missing value(s), the first in row {rows[0] + 1} below the header, "
            f"column {table.columns[columns[0]]!r}. Fill them in or drop those rows."
        )


def _numbers(columns: "pd.DataFrame", file: str) -> npt.NDArray[np.float64]:
    import pandas as pd

    for name in columns:
        numbers = pd.to_numeric(columns[name], errors="coerce")
        wrong = np.flatnonzero(~np.isfinite(numbers.to_numpy(dtype=np.float64)))
        if len(wrong):
            value = str(columns[name].iloc[wrong[0]])
            raise ModelyardError(
                f"{file}: {value!r} in row {wrong[0] + 1} below the header, column {name!r}, instead of a number. "
                "Encode the column as numbers or drop it."
            )
    return columns.to_numpy(dtype=np.float64)


def _classes(target: "pd.Series", settings: TableDataset, file: str) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    names = target.astype(str)
    classes = settings.classes or tuple(sorted(names.unique()))
    unknown = sorted(set(names) - set(classes))
    if unknown:
        raise ModelyardError(f"{file}: class {unknown[0]!r} is not among `classes`: {', '.join(classes)}")
    if len(classes) < 2:
        raise ModelyardError(f"{file}: only one class, {classes[0]!r}, in column {settings.target!r}")
    numbers = {name: number for number, name in enumerate(classes)}
    return classes, np.asarray(names.map(numbers), dtype=np.int64)
