"""The handwritten digits that come with scikit-learn: 8 x 8 pixels of 0 to 16."""

from pathlib import Path
from typing import Literal

import numpy as np

from modelyard.data.readers.base import DatasetSettings, RawData
from modelyard.data.samples import Samples


class DigitsDataset(DatasetSettings):
    """scikit-learn's digits."""

    reader: Literal["digits"]


def read(folder: Path, settings: DigitsDataset) -> RawData:
    """Read images as uint8 (1797, 8, 8, 1), labels as uint8 (1797,)."""
    table = np.loadtxt(folder / "digits.csv.gz", delimiter=",").astype(np.uint8)
    return RawData(Samples(table[:, :-1].reshape(-1, 8, 8, 1), table[:, -1]), classes=settings.classes)
