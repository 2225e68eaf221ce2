"""Samples from CSV files, whose columns are found by name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modelyard.data.inputs import InputDescription
from modelyard.data.readers import csv_table
from modelyard.serving.batch import PredictionBatch, Unreadable, open_all, shown_name, stack


def read(files: Sequence[Path], description: InputDescription) -> PredictionBatch:
    """Read CSV files with a header as samples (n, features); other columns, such as the target, are ignored.

    The rules are those of `data.readers.csv_table`, as for training. A row that breaks one is an error of the batch; so
    is a file that does, or that lacks one of the columns.
    """
    file_of: list[str] = []
    row_of: list[int] = []
    samples: list[list[float]] = []
    warnings: list[str] = []
    errors: list[str] = []

    def open_table(file: Path) -> tuple[list[str], list[list[str]], csv_table.Columns]:
        header, rows = _open(file)
        columns = csv_table.Columns(header, _features(header, description))
        if not rows:
            raise Unreadable("there is no row below the header")
        return header, rows, columns

    for file, (header, rows, columns) in open_all(files, open_table, errors):
        unused = [name for name in header if name not in columns.positions]
        warnings += [f"{shown_name(file)}: unused columns: {', '.join(unused)}"] if unused else []
        for number, row in enumerate(rows, start=1):
            try:
                samples.append(columns.numbers(row))
            except csv_table.TableError as error:
                errors.append(f"{shown_name(file)}: row {number} below the header: {error}")
                continue
            file_of.append(shown_name(file))
            row_of.append(number)
    names: dict[str, list[Any]] = {"row": row_of} if len(files) == 1 else {"file": file_of, "row": row_of}
    return PredictionBatch(names, stack(samples, description.shape, "float64"), tuple(warnings), tuple(errors))


def _open(file: Path) -> tuple[list[str], list[list[str]]]:
    """The header and the rows below it."""
    try:
        header, *rows = csv_table.read(file)
    except FileNotFoundError:
        raise Unreadable("no such file") from None
    except OSError as error:
        raise Unreadable(f"it cannot be read ({error.strerror})") from None
    except csv_table.TableError as error:
        raise Unreadable(str(error)) from None
    return header, rows


def _features(header: Sequence[str], description: InputDescription) -> tuple[str, ...]:
    """The names of the features, in the order that the model takes."""
    count = int(np.prod(description.shape))
    features = description.features or tuple(f"feature {number}" for number in range(1, count + 1))
    missing = [name for name in features if name not in header]
    if missing:
        raise Unreadable(
            f"{len(missing)} of {len(features)} columns are missing: {', '.join(missing)}. "
            f"The header must name them; it names {', '.join(header)}"
        )
    return features
