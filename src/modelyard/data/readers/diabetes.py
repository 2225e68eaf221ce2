"""The diabetes data that comes with scikit-learn, in its raw units."""

from pathlib import Path
from typing import Literal

import numpy as np

from modelyard.data.readers.base import DatasetSettings, RawData
from modelyard.data.samples import Samples

FEATURES = ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")


class DiabetesDataset(DatasetSettings):
    """scikit-learn's diabetes data."""

    reader: Literal["diabetes"]


def read(folder: Path, _: DiabetesDataset) -> RawData:
    """Read ten measurements as float64 (442, 10), disease progression after a year as float64 (442,)."""
    features = np.loadtxt(folder / "diabetes_data_raw.csv.gz")
    return RawData(Samples(features, np.loadtxt(folder / "diabetes_target.csv.gz")), features=FEATURES)
