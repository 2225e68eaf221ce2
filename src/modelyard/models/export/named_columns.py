"""Converted models of tables whose inputs are the columns of the user's file, with categories as text."""

import math
from typing import TYPE_CHECKING

import numpy as np

from modelyard.data.columns import UNKNOWN, Column
from modelyard.data.inputs import InputDescription
from modelyard.models.export.graph import ML, PREDICTIONS, GraphBuilder, finished

if TYPE_CHECKING:
    from pathlib import Path

    import onnx

EXAMPLES = {"number": 0.0, "boolean": 1.0, "year": 2024.0, "month": 3.0, "weekday": 0.0, "hour": 12.0, "days": 19800.0}


def load_with_named_columns(file: "Path", description: InputDescription) -> "onnx.ModelProto":
    """Read a converted model of a table with an input for each of its columns, or for each part of a date.

    Numbers are float64, with NaN for a gap; categories are text, with "" for a gap.
    """
    import onnx

    model = onnx.load(file)
    (raw,), (predictions,) = model.graph.input, model.graph.output
    graph = GraphBuilder()
    table = graph.add("Concat", *(part for column in _columns(description) for part in _parts(graph, column)), axis=1)
    samples = graph.add("Cast", table, to=raw.type.tensor_type.elem_type)
    (outputs,) = graph.include(model, samples)
    shape = [each.dim_value for each in predictions.type.tensor_type.shape.dim[1:]]
    dtype = onnx.helper.tensor_dtype_to_np_dtype(predictions.type.tensor_type.elem_type)
    graph.output(outputs, PREDICTIONS, dtype, *shape)
    return finished(graph.model(), description)


def value_examples(description: InputDescription) -> dict[str, float | str]:
    """A value that each input could have, by its name; numbers are where their scaling has its zero."""
    values: dict[str, float | str] = {}
    for column in _columns(description):
        for name, part in zip(column.features, column.parts or (column.kind,), strict=True):
            values[name] = column.categories[0] if column.kind == "category" else EXAMPLES[part]
    offset = description.scaler.offset
    if len(offset) == len(values) and description.preprocessing is None:
        values = {name: float(f"{number:.4g}") for name, number in zip(values, offset, strict=True)}
    return values


def _columns(description: InputDescription) -> tuple[Column, ...]:
    return description.columns or tuple(Column(name=name, kind="number") for name in description.features)


def _parts(graph: GraphBuilder, column: Column) -> list[str]:
    """The features of a column (samples, 1), from its inputs."""
    from onnx import TensorProto

    if column.kind != "category":
        return [graph.input(name, np.float64, 1) for name in column.features]
    codes = graph.add(
        "LabelEncoder",
        graph.input(column.name, object, 1),
        domain=ML,
        keys_strings=["", *column.categories],
        values_floats=[math.nan, *map(float, range(len(column.categories)))],
        default_float=UNKNOWN,
    )
    return [graph.add("Cast", codes, to=TensorProto.DOUBLE)]
