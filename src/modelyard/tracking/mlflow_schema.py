"""The rows that a run learnt from, and the tensors of its model, in MLflow's words."""

import hashlib
from pathlib import Path
from typing import Any

from modelyard.core.files import sha256
from modelyard.data.inputs import InputDescription


def tags_of_input(description: InputDescription, digest: str) -> dict[str, str]:
    """What the rows are, and the digest of their files."""
    tags = {"dataset": description.dataset, "task": description.task, "input_sha256": digest}
    return tags | ({"features": ", ".join(description.features)} if description.features else {})


def digest_of(folder: Path) -> str:
    """One SHA-256 over the files of a folder, in the order of their names."""
    each = "".join(f"{path.name} {sha256(path)}\n" for path in sorted(folder.iterdir()))
    return hashlib.sha256(each.encode()).hexdigest()


def schema(tensor: tuple[str, tuple]) -> Any:
    """A tensor's type and shape as MLflow has them; a size of None is free."""
    import numpy as np
    from mlflow.types import Schema, TensorSpec

    dtype, shape = tensor
    return Schema([TensorSpec(np.dtype(dtype), tuple(-1 if size is None else size for size in shape))])
