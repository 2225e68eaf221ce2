"""Slices: the samples of each value of a table's column, on which a model is measured alone."""

from collections.abc import Mapping

import numpy as np

from modelyard.core.config import suggest
from modelyard.core.errors import ModelyardError

MOST_VALUES = 50
MOST_NUMBERS = 10  # with more, numbers are divided into quarters
NO_VALUE = "no value"


def slice_column(column: str, keys: Mapping[str, np.ndarray], texts: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the slice of each sample (n,): the value of the column, or the quarter of all samples that it lies in.

    Args:
        column: its name.
        keys: the columns as numbers, see `RawData.keys`.
        texts: the columns as text, see `RawData.texts`.

    Raises:
        ModelyardError: there is no such column, or it has too many values.
    """
    if not texts:
        raise ModelyardError(f"`slices: [{column}]`: this data set is no table, so it has no columns: leave it out.")
    if column not in texts:
        raise ModelyardError(f"`slices: [{column}]`: the table has no such column; {suggest(column, texts)}.")
    labels = texts[column].astype(str)
    count = len(np.unique(labels))
    if count > MOST_NUMBERS and keys[column].dtype.kind == "f":
        return _quarters(keys[column], labels)
    if count > MOST_VALUES:
        raise ModelyardError(
            f"`slices: [{column}]`: this column has {count} different values, and {MOST_VALUES} are the most that a "
            "report shows: name a column of fewer values."
        )
    return np.where(labels == "", NO_VALUE, labels)


def _quarters(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The quarter of each number or date, named by its smallest and largest value."""
    slices = np.full(len(values), NO_VALUE, dtype=object)
    quarter = np.searchsorted(np.nanquantile(values, [0.25, 0.5, 0.75]), values)
    for number in range(4):
        (members,) = np.nonzero((quarter == number) & ~np.isnan(values))
        if len(members):
            ends = members[[values[members].argmin(), values[members].argmax()]]
            slices[members] = " to ".join(dict.fromkeys(labels[ends]))
    return slices.astype(str)
