"""Training data, models and what they take and give in MLflow's terms."""

import hashlib
from pathlib import Path
from typing import Any

from modelyard.core.files import sha256
from modelyard.data.columns import Kind
from modelyard.data.inputs import InputDescription, load_description
from modelyard.data.preprocessing import by_feature
from modelyard.data.samples import TARGET_KINDS


def input_tags(description: InputDescription) -> dict[str, str]:
    """The tags that describe a prepared input."""
    tags = {"dataset": description.dataset, "task": description.task}
    return tags | ({"features": ", ".join(description.features)} if description.features else {})


def folder_digest(folder: Path) -> str:
    """One SHA-256 over the names and contents of all files of a folder, sorted by name."""
    lines = "".join(f"{path.name} {sha256(path)}\n" for path in sorted(folder.iterdir()))
    return hashlib.sha256(lines.encode()).hexdigest()


def model_digest(folder: Path) -> str:
    """The SHA-256 of the model file in a model's folder, by which its run is found: equal models have equal bytes.

    With a decision threshold, of both: another goal changes what is logged, and leaves the model file as it is.
    """
    digest, threshold = sha256(next(folder.glob("model.*"))), load_description(folder).threshold
    return hashlib.sha256(f"{digest} {threshold.value!r}".encode()).hexdigest() if threshold else digest


def tensor_schema(dtype: str, shape: tuple[int | None, ...]) -> Any:
    """An MLflow `Schema` of one tensor; a dimension of None may have any size."""
    import numpy as np
    from mlflow.types import Schema, TensorSpec

    return Schema([TensorSpec(np.dtype(dtype), tuple(-1 if size is None else size for size in shape))])


def table_signature(description: InputDescription) -> Any:
    """The `ModelSignature` of a model of tables: named columns in and out; those that may have gaps are optional."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    # Of a `datetime` MLflow would guess the format, and an empty `boolean` would be False to its server.
    types: dict[Kind, str] = {"number": "double", "boolean": "double", "category": "string", "date": "string"}
    kinds: dict[str, Kind] = {column.name: column.kind for column in description.columns}
    takes_gaps = {
        feature.column.name: description.takes_gaps(feature.position) for feature in by_feature(description.columns)
    }
    inputs = [
        ColSpec(types[kinds.get(name, "number")], name, required=not takes_gaps.get(name))
        for name in description.column_names
    ]
    outputs = [ColSpec(of, name) for name, of in prediction_types(description).items()]
    return ModelSignature(Schema(inputs), Schema(outputs))


def prediction_types(description: InputDescription) -> dict[str, str]:
    """What a logged model of tables gives for each sample: name and type of each column.

    That is the predicted class before the probability of each, the value, or the reconstructed features.
    """
    kind = TARGET_KINDS[description.task]
    if kind == "class":
        return {"prediction": "string"} | {f"probability_{name}": "double" for name in description.classes}
    return {"prediction": "double"} if kind == "number" else dict.fromkeys(description.features, "double")
