"""Data sets: what their entries say, and how their raw files are read.

A new kind of raw file is one module here with a `Settings` and a `read`, and its line below.
"""

import zipfile
import zlib
from pathlib import Path
from types import ModuleType
from typing import Annotated

from pydantic import Field

from modelyard.core.errors import ModelyardError
from modelyard.data.readers import boston, canvases, cifar, diabetes, digits, idx, reuters, table
from modelyard.data.readers.base import DatasetEntry, RawData

__all__ = ["DatasetEntry", "DatasetSettings", "RawData", "read"]

DatasetSettings = Annotated[
    boston.Settings
    | canvases.Settings
    | cifar.Settings
    | diabetes.Settings
    | digits.Settings
    | idx.Settings
    | reuters.Settings
    | table.Settings,
    Field(discriminator="reader"),
]

_READERS: dict[str, ModuleType] = {
    "boston": boston,
    "canvases": canvases,
    "cifar": cifar,
    "diabetes": diabetes,
    "digits": digits,
    "idx": idx,
    "reuters": reuters,
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
