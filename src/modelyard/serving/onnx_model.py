"""Models in ONNX, answered by ONNX Runtime: loaded in a moment, without the library that trained them."""

import os
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from modelyard.data.inputs import InputDescription

FOLDER = "onnx"
"""The folder of an experiment's converted model, in its results."""

FILE = "model.onnx"
CONVERSION = "conversion.json"
"""What became of the conversion: whether it succeeded, the reason if not, and how the answers were checked."""

os.environ.setdefault(
    "ORT_DISABLE_TELEMETRY", "1"
)  # before any import of it: else it reports to its maker what it runs

DESCRIPTION = "modelyard.input"  # see models.export.graph
BATCH = 1000  # samples computed at a time, to bound the memory


class OnnxModel:
    """A model of raw samples that describes its own input, so that its file is all that it takes.

    It computes with one thread: its answers depend on no number of cores, and servers answer several requests at once.
    """

    def __init__(self, content: Path | bytes) -> None:
        self._session = _session(content)
        (self._input,) = self._session.get_inputs()

    @cached_property
    def description(self) -> InputDescription:
        """The input that it was trained on."""
        text = self._session.get_modelmeta().custom_metadata_map[DESCRIPTION]
        return InputDescription.model_validate_json(text, strict=False)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Predict probabilities (n, classes), values (n,), reconstructions or grids (n, ...) of raw samples."""
        raw = np.asarray(x, dtype=_dtype(self._input.type)).reshape(-1, *self._input.shape[1:])
        parts = [raw[start : start + BATCH] for start in range(0, len(raw), BATCH)] or [raw]
        return np.concatenate([self._session.run(None, {self._input.name: part})[0] for part in parts])


def is_runtime_installed() -> bool:
    """Whether ONNX Runtime can be imported."""
    return find_spec("onnxruntime") is not None


def _session(content: Path | bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors
    source = content if isinstance(content, bytes) else str(content)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def _dtype(onnx_type: str) -> str:
    """NumPy's name of a type such as `tensor(float)`."""
    name = onnx_type.removeprefix("tensor(").removesuffix(")")
    return {"float": "float32", "double": "float64"}.get(name, name)
