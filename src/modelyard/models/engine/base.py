"""What both kinds of models have in common: the layers that people see, the interface, and what a training works with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from modelyard.data.inputs import InputDescription
from modelyard.models.engine.training_settings import Runtime

Report = Callable[[dict[str, float]], None]


class Layer(NamedTuple):
    """One layer: its name and kind, the shape of what it gives for a sample, and how many numbers it has."""

    name: str
    kind: str
    shape: tuple[int | None, ...]
    parameters: int


class Model(Protocol):
    """A fitted model; it takes raw rows, its scaling is inside.

    `native` is the library's own object, `parts` are further ones that share its weights, `layers` are what people see.
    `flavour`, `packages`, `options` and what it `takes` and `gives` (type and shape) tell MLflow how to keep it.
    """

    description: InputDescription
    native: Any
    parts: Mapping[str, Any]
    layers: list[Layer]
    flavour: str
    packages: tuple[str, ...]
    options: dict
    takes: tuple[str, tuple]
    gives: tuple[str, tuple]

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Probabilities (n, classes), values (n,), reconstructions or grids (n, ...) for raw rows (n, ...)."""

    def first_convolution(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Kernels (height, width, channels, filters) and maps (height, width, filters) of a raw image, if any."""

    def save(self, folder: Path) -> None:
        """Write the model and what it must know of its input; equal models give equal bytes."""


@dataclass(frozen=True)
class TrainingContext:
    """Where a training puts its checkpoints, how it uses the machine, who hears of each epoch, what it starts from."""

    folder: Path
    runtime: Runtime
    report: Report
    backbone: Path | None = None
