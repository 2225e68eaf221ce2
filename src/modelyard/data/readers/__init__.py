"""Readers of raw data sets, and the settings of each kind of data set.

A new kind of raw file is one module here with a class of settings and a `read`, and its lines below.
"""

import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from modelyard.core.errors import ModelyardError
from modelyard.data.readers import boston, canvases, cifar, diabetes, flattened_images, idx, images, reuters, table
from modelyard.data.readers.base import DatasetSettings, RawData

__all__ = ["AnyDataset", "DatasetSettings", "RawData", "read"]

AnyDataset = Annotated[
    boston.BostonDataset
    | canvases.CanvasesDataset
    | cifar.CifarDataset
    | diabetes.DiabetesDataset
    | flattened_images.FlattenedImagesDataset
    | idx.IdxDataset
    | images.ImagesDataset
    | reuters.ReutersDataset
    | table.TableDataset,
    Field(discriminator="reader"),
]

_READERS: dict[str, Callable[[Path, Any], RawData]] = {
    "boston": boston.read,
    "canvases": canvases.read,
    "cifar": cifar.read,
    "diabetes": diabetes.read,
    "flattened_images": flattened_images.read,
    "idx": idx.read,
    "images": images.read,
    "reuters": reuters.read,
    "table": table.read,
}


def read(settings: DatasetSettings, folder: Path) -> RawData:
    """Read the verified raw files of a data set from `folder`.

    Raises:
        ModelyardError: the files are broken, or do not hold what the settings expect.
    """
    try:
        raw = _READERS[settings.reader](folder, settings)
    except PermissionError:  # the file itself may be intact
        raise
    except (OSError, ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise ModelyardError(f"{folder}: a file is broken ({error}). Delete the folder and run again.") from error
    settings.check(raw, folder)
    return raw
