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


class FoundModel(NamedTuple):
    """The model that is there now.

    Attributes:
        version: of it; found without loading it.
        load: loads this very version.
        is_converted: whether its ONNX file is there, if it can have one.
    """

    version: str
    load: Callable[[], Predictor]
    is_converted: bool = True


ModelSource = Callable[[], FoundModel]
"""Finds the model of a server."""


def find_source(name: str, engine: Engine, root: Path) -> ModelSource:
    """The source of an ONNX file, an experiment, or a registered model such as `mnist@champion`."""
    if name.endswith(".onnx"):
        file = Path(name)
        return lambda: FoundModel(_state_of(file), lambda: OnnxModel(file))
    return lambda: (_find_registered if "@" in name else _find_experiment)(name, engine, root)


def _find_registered(name: str, engine: Engine, _: Path) -> FoundModel:
    from modelyard.serving import registry

    version = registry.resolve(name)
    return FoundModel(f"{name} version {version.number}", lambda: engines.load_registered(version, engine))


def _find_experiment(name: str, engine: Engine, root: Path) -> FoundModel:
    experiment = engines.find(name, root)
    return FoundModel(f"{name} {experiment.version}", lambda: engines.load(experiment, engine), experiment.is_converted)


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
        self._awaited = ""  # the newest version that is not converted yet
        try:
            self.current = _load(source())
        except ModelyardError:
            raise
        except Exception as error:  # of a file that is no model, or of another program
            raise ModelyardError(
                f"this model cannot be served: {first_line(error)}. `modelyard serve` takes an experiment, a "
                "registered model, or the file results/<experiment>/onnx/model.onnx, not that of `modelyard export`."
            ) from None

    def refresh(self) -> bool:
        """Take a newer version if there is one; if it cannot be loaded, the present one goes on.

        So it does between the stages `train` and `export`: the library that trained the model takes several times the
        memory of ONNX Runtime, and would keep it.
        """
        try:
            found = self._source()
            if found.version == self.current.version:
                return False
            if isinstance(self.current.model, OnnxModel) and not found.is_converted:
                self._await(found.version)
                return False
            self.current = _load(found)
        except Exception as error:  # a server must not end because a new model is broken
            LOG.warning("the new version cannot be loaded, %s goes on: %s", self.current.version, error)
            return False
        LOG.warning("now serving %s", self.current.version)
        return True

    def _await(self, version: str) -> None:
        """Say once that a version is not taken yet."""
        if version != self._awaited:
            LOG.warning("%s goes on until the stage export has run: there is %s", self.current.version, version)
        self._awaited = version

    async def watch(self, seconds: float) -> None:
        """Look for a newer version every so many seconds, beside the requests."""
        while True:
            await asyncio.sleep(seconds)
            await asyncio.to_thread(self.refresh)


def _load(found: FoundModel) -> ModelVersion:
    model = found.load()
    description = model.description
    model.predict(np.zeros((1, *description.shape), description.dtype))  # the first prediction takes longest
    return ModelVersion(found.version, model)
