"""Data sets: what their entries say, and how their raw files are read.

A new kind of raw file is one module here with a `Settings` and a `read`, and its line below.
"""

import zipfile
import zlib
from pathlib import Path
from types import ModuleType
from typing import Annotated

from pydantic import Field

from modelyard.datasets import boston, canvases, diabetes, digits, idx, table
from modelyard.datasets.entry import DatasetEntry, RawData
from modelyard.errors import ModelyardError

__all__ = ["DatasetEntry", "DatasetSettings", "RawData", "read"]

DatasetSettings = Annotated[
    boston.Settings | canvases.Settings | diabetes.Settings | digits.Settings | idx.Settings | table.Settings,
    Field(discriminator="reader"),
]

_READERS: dict[str, ModuleType] = {
    "boston": boston,
    "canvases": canvases,
    "diabetes": diabetes,
    "digits": digits,
    "idx": idx,
    "table": table,
}


def read(entry: DatasetEntry, folder: Path) -> RawData:
    """Read the verified raw files of a data set from `folder`.

    Raises:
        ModelyardError: the files do not hold what the entry expects.
    """
    try:
        raw = _READERS[entry.reader].read(folder, entry)
    except PermissionError:  # the file may be whole
        raise
    except (OSError, ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise ModelyardError(f"{folder}: a file is broken ({error}). Delete the folder and run again.") from error
    entry.check(raw, folder)
    return raw
