"""What Keras and scikit-learn models have in common: their interface, and the context of a training."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from modelyard.data.inputs import InputDescription
from modelyard.models.engine.runtime import Runtime
from modelyard.models.engine.training_state import StateFile

ReportEpoch = Callable[[dict[str, float]], None]


class Layer(NamedTuple):
    """One layer: name, kind, output shape of one sample, and number of parameters."""

    name: str
    kind: str
    shape: tuple[int | None, ...]
    parameters: int


class ArraySpec(NamedTuple):
    """Type and shape of an array; a dimension of None may have any size."""

    dtype: str
    shape: tuple[int | None, ...]


class Model(Protocol):
    """A fitted model; it takes raw samples, its scaling is inside."""

    @property
    def description(self) -> InputDescription:
        """The input that it was trained on."""

    @property
    def native(self) -> Any:
        """The library's own object: a Keras model or a scikit-learn pipeline."""

    @property
    def submodels(self) -> Mapping[str, Any]:
        """Further native models by name that share its weights, such as an encoder."""

    @property
    def layers(self) -> Sequence[Layer]:
        """Every layer or step from raw samples to output."""

    @property
    def input_spec(self) -> ArraySpec:
        """Input of the native model."""

    @property
    def output_spec(self) -> ArraySpec:
        """Output of the native model."""

    @property
    def mlflow_flavor(self) -> str:
        """The module of MLflow that logs the native model."""

    @property
    def mlflow_options(self) -> Mapping[str, Any]:
        """Further arguments of that module's `log_model`."""

    @property
    def pip_packages(self) -> tuple[str, ...]:
        """Packages that load the native model."""

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Predict probabilities (n, classes), values (n,), reconstructions or grids (n, ...) of raw samples."""

    def first_convolution(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Kernels (height, width, channels, filters) and maps (height, width, filters) of a raw image, if any."""

    def save(self, folder: Path) -> None:
        """Write the model and the description of its input; equal models give equal bytes."""


@dataclass(frozen=True)
class TrainingContext:
    """What a training is given besides settings and data.

    Attributes:
        folder: Where checkpoints are written.
        runtime: Threads, precision and execution of TensorFlow.
        report: Is called with the metrics of each epoch.
        backbone: The folder of the network that a transfer starts from.
        state: Where the state of a long training is kept between its epochs; None: nowhere.
    """

    folder: Path
    runtime: Runtime
    report: ReportEpoch
    backbone: Path | None = None
    state: StateFile | None = None
