"""The state of a training between two epochs, kept in a file: a training that was killed goes on from there."""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from modelyard.core.files import atomic_file


@dataclass(frozen=True)
class EpochState:
    """All that the next epoch depends on.

    Attributes:
        history: What Keras reported after each epoch so far.
        callbacks: The counters of each callback, by its class.
        arrays: Variables of network and optimizer (weights, moments, seeds), and what callbacks keep.
    """

    history: list[dict[str, float]]
    callbacks: dict[str, dict[str, Any]]
    arrays: dict[str, np.ndarray]


@dataclass(frozen=True)
class StateFile:
    """The file of a training's state, which is replaced after an epoch and deleted when the training is complete.

    Attributes:
        path: The file.
        key: Identifies settings, data, code and versions: the state of another training is not used.
    """

    path: Path
    key: str

    def read(self) -> EpochState | None:
        """Return the kept state, None where there is none that this training can use."""
        try:
            with np.load(self.path, allow_pickle=False) as file:
                arrays = dict(file)
            content = json.loads(arrays.pop("json").tobytes())
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):  # none, or a damaged one
            return None
        return EpochState(content["history"], content["callbacks"], arrays) if content["key"] == self.key else None

    def write(self, state: EpochState) -> None:
        """Replace the kept state."""
        content = json.dumps({"key": self.key, "history": state.history, "callbacks": state.callbacks})
        with atomic_file(self.path) as temporary, temporary.open("wb") as file:
            arrays: dict[str, Any] = {"json": np.frombuffer(content.encode(), dtype=np.uint8), **state.arrays}
            np.savez(file, **arrays)

    def remove(self) -> None:
        """Delete the kept state."""
        self.path.unlink(missing_ok=True)
