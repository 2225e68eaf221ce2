"""A model of tables as MLflow serves it: it takes the named columns of the user's file, in any order.

MLflow copies this file into the logged model and runs it when the model is loaded; nothing is unpickled. The package
may not be installed there, so nothing of it is imported before `load_context` has made it available.
"""

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
from mlflow import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

if TYPE_CHECKING:
    from modelyard.data.inputs import InputDescription

EXAMPLES = 5  # rows that an error names


class TableModel(PythonModel):  # type: ignore[misc]
    """Converts named columns by the rules of `modelyard predict`, and predicts."""

    def load_context(self, context: Any) -> None:
        """Load the model from its folder, with the code that it was logged with."""
        sys.path.insert(0, context.artifacts["code"])
        from modelyard import models

        self._model = models.load(Path(context.artifacts["model"]))

    def predict(self, model_input: pd.DataFrame) -> pd.DataFrame:
        """Predict for a DataFrame; a value that its column cannot have is an error for all rows."""
        from modelyard.serving import tables
        from modelyard.serving.batch import Unreadable

        description = self._model.description
        try:
            samples = tables.to_samples(_to_arrow(model_input), description)
        except Unreadable as error:
            raise MlflowException.invalid_parameter_value(str(error)) from None
        for warning in tables.warn_of_unknown(samples.unknown):
            logging.getLogger("modelyard").warning("warning: %s", warning)
        if samples.errors:
            rows = sorted(samples.errors)
            named = "; ".join(f"row {row + 1}: {samples.errors[row]}" for row in rows[:EXAMPLES])
            raise MlflowException.invalid_parameter_value(f"{len(rows)} row(s) cannot be predicted: {named}")
        return _name(self._model.predict(samples.x), description, model_input.index)


def _to_arrow(frame: pd.DataFrame) -> dict[str, pa.ChunkedArray]:
    """The columns by name; NaN is a gap."""
    columns = {}
    for name, values in frame.items():
        try:
            columns[str(name)] = pa.chunked_array([pa.array(values, from_pandas=True)])
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            raise MlflowException.invalid_parameter_value(
                f"column {name!r} has values of different types, such as numbers and text"
            ) from None
    return columns


def _name(outputs: np.ndarray, description: "InputDescription", index: pd.Index) -> pd.DataFrame:
    """A model's outputs in the columns of its signature."""
    from modelyard.data.decision_threshold import predicted_classes
    from modelyard.data.samples import TARGET_KINDS
    from modelyard.tracking.mlflow_schema import prediction_types

    columns = list(outputs.reshape(len(outputs), -1).astype(np.float64).T)
    if TARGET_KINDS[description.task] == "class":
        columns.insert(0, np.array(description.classes)[predicted_classes(outputs, description.threshold)])
    return pd.DataFrame(dict(zip(prediction_types(description), columns, strict=True)), index)


set_model(TableModel())
