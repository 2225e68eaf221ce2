"""Predictions for an entry of `batches`: the files of a path, part by part."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from modelyard.core.errors import ModelyardError
from modelyard.core.files import write_tables
from modelyard.models import Model
from modelyard.serving import predict
from modelyard.serving.batch import files_in

if TYPE_CHECKING:
    import pandas as pd

LISTED = 10  # errors


def predict_files(
    model: Model, data: Path, output: Path, broken: Literal["refuse", "leave_out"]
) -> tuple[int, list[str]]:
    """Predict all files of a path into one table.

    Returns:
        The number of samples, and what was noticed while reading them.

    Raises:
        ModelyardError: there is no sample; or, unless it is to be left out, a file or row cannot be read. Nothing was
            written.
    """
    count = 0
    lines: list[str] = []
    errors: list[str] = []

    def tables() -> Iterator["pd.DataFrame"]:
        nonlocal count
        for batch in predict.read(files_in(data), model.description):
            lines.extend(f"warning: {warning}" for warning in batch.warnings)
            errors.extend(batch.errors)
            count += len(batch)
            if len(batch):
                yield predict.prediction_table(batch, model.predict(batch.x), model.description)
        if errors and broken == "refuse":
            raise ModelyardError(
                f"{len(errors)} file(s) or row(s) of {data} cannot be read: {'; '.join(errors[:LISTED])}. Repair or "
                "remove them, or write `broken: leave_out` in the batch."
            )

    write_tables(output, tables())
    if not count:
        raise ModelyardError(f"{data} has no sample to predict. {'; '.join(errors[:LISTED])}".strip())
    return count, [*lines, *(f"left out: {error}" for error in errors)]
