"""Training data, models and their tensors in MLflow's terms."""

import hashlib
from pathlib import Path
from typing import Any

from modelyard.core.files import sha256
from modelyard.data.inputs import InputDescription


def input_tags(description: InputDescription, digest: str) -> dict[str, str]:
    """The tags that describe a prepared input; `digest` is that of its training folder."""
    tags = {"dataset": description.dataset, "task": description.task, "input_sha256": digest}
    return tags | ({"features": ", ".join(description.features)} if description.features else {})


def folder_digest(folder: Path) -> str:
    """One SHA-256 over the names and contents of all files of a folder, sorted by name."""
    lines = "".join(f"{path.name} {sha256(path)}\n" for path in sorted(folder.iterdir()))
    return hashlib.sha256(lines.encode()).hexdigest()


def model_digest(folder: Path) -> str:
    """The SHA-256 of the model file in a model's folder, by which its run is found: equal models have equal bytes."""
    return sha256(next(folder.glob("model.*")))


def tensor_schema(dtype: str, shape: tuple[int | None, ...]) -> Any:
    """An MLflow `Schema` of one tensor; a dimension of None may have any size."""
    import numpy as np
    from mlflow.types import Schema, TensorSpec

    return Schema([TensorSpec(np.dtype(dtype), tuple(-1 if size is None else size for size in shape))])
