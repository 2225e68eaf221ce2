"""The model of a server: an ONNX file, an experiment or an alias of the registry, and newer versions of it."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from modelyard.core.errors import ModelyardError, first_line
from modelyard.serving import engines
from modelyard.serving.engines import Engine, Predictor
from modelyard.serving.onnx_model import OnnxModel

LOG = logging.getLogger("modelyard.serving")


class ModelSource(NamedTuple):
    """Where a server finds its model.

    Attributes:
        version: says which version is there now; quick to ask.
        load: loads it.
    """

    version: Callable[[], str]
    load: Callable[[], Predictor]


def find_source(name: str, engine: Engine, root: Path) -> ModelSource:
    """The source of an ONNX file, an experiment, or a registered model such as `mnist@champion`."""
    if name.endswith(".onnx"):
        file = Path(name)
        return ModelSource(lambda: _state_of(file), lambda: OnnxModel(file))
    if "@" in name:
        from modelyard.serving import registry

        return ModelSource(
            lambda: f"{name} version {registry.resolve(name).number}",
            lambda: engines.load_registered(registry.resolve(name), engine),
        )
    return ModelSource(
        lambda: f"{name} {engines.find(name, root).version}", lambda: engines.load(engines.find(name, root), engine)
    )


def _state_of(file: Path) -> str:
    try:
        state = file.stat()
    except OSError as error:
        raise ModelyardError(f"{file}: {error.strerror}") from None
    return f"{file.name} {state.st_mtime_ns:x}-{state.st_size:x}"


class ModelVersion(NamedTuple):
    """A loaded model and its version."""

    version: str
    model: Predictor


class ServedModel:
    """A model that is replaced by a newer version between two requests: each is answered by one of them as a whole."""

    def __init__(self, source: ModelSource) -> None:
        """Load the model.

        Raises:
            ModelyardError: there is none, or it cannot be served.
        """
        self._source = source
        try:
            self.current = self._load()
        except ModelyardError:
            raise
        except Exception as error:  # of a file that is no model, or of another program
            raise ModelyardError(
                f"this model cannot be served: {first_line(error)}. `modelyard serve` takes an experiment, a "
                "registered model, or the file results/<experiment>/onnx/model.onnx, not that of `modelyard export`."
            ) from None

    def _load(self) -> ModelVersion:
        version = self._source.version()
        model = self._source.load()
        description = model.description
        model.predict(np.zeros((1, *description.shape), description.dtype))  # the first prediction takes longest
        return ModelVersion(version, model)

    def refresh(self) -> bool:
        """Take a newer version if there is one; if it cannot be loaded, the present one goes on."""
        try:
            if self._source.version() == self.current.version:
                return False
            self.current = self._load()
        except Exception as error:  # a server must not end because a new model is broken
            LOG.warning("the new version cannot be loaded, %s goes on: %s", self.current.version, error)
            return False
        LOG.warning("now serving %s", self.current.version)
        return True

    async def watch(self, seconds: float) -> None:
        """Look for a newer version every so many seconds, beside the requests."""
        while True:
            await asyncio.sleep(seconds)
            await asyncio.to_thread(self.refresh)
