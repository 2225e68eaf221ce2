"""What answers for a model: ONNX Runtime where the model was converted, else the library that trained it."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import numpy as np

from modelyard.core.errors import ModelyardError
from modelyard.core.files import read_json
from modelyard.orchestration import dvc_lock
from modelyard.orchestration.dvc_lock import LockedStage
from modelyard.params.results import SECTIONS, contract_stage, evaluate_stage, export_stage, train_stage
from modelyard.serving.onnx_model import CONVERSION, FILE, FOLDER, OnnxModel, is_runtime_installed

if TYPE_CHECKING:
    from modelyard.data.inputs import InputDescription
    from modelyard.serving.registry import Version

Engine = Literal["auto", "onnx", "keras", "sklearn"]
NATIVE_FILES = {"keras": "model.keras", "sklearn": "model.skops"}
MODEL, TEST, CONTRACT = "model", "test", "contract"


class Predictor(Protocol):
    """What predicting takes of a model."""

    @property
    def description(self) -> "InputDescription":
        """The input that it was trained on."""

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Predict probabilities (n, classes), values (n,), reconstructions or grids (n, ...) of raw samples."""


class ExperimentFiles(NamedTuple):
    """The files of an experiment, found without params.yaml, which takes longer to read than a prediction.

    Attributes:
        name: of the experiment.
        section: the section of params.yaml that holds it.
        stages: those that dvc.lock has of it, by name.
        root: the folder of the project.
    """

    name: str
    section: str
    stages: dict[str, LockedStage]
    root: Path

    @property
    def model_folder(self) -> Path:
        """The folder of the library's own model."""
        return dvc_lock.verified_output(train_stage(self.section, self.name), MODEL, self.root)

    @property
    def test_folder(self) -> Path:
        """The folder of the test samples."""
        return dvc_lock.verified_dependency(evaluate_stage(self.section, self.name), TEST, self.root)

    @property
    def version(self) -> str:
        """What changes with the model, and when it is converted: the beginning of the MD5 of its folder."""
        found = next(iter(self._model.values()), "")[:12]
        return found if self.is_converted else f"{found} (not converted to ONNX)"

    @property
    def _model(self) -> dict[str, str]:
        """The folder of the model and its MD5; none if it was never trained."""
        stage = self.stages.get(train_stage(self.section, self.name))
        return {path: md5 for path, md5 in stage.outs.items() if Path(path).name == MODEL} if stage else {}

    @property
    def is_converted(self) -> bool:
        """Whether the stage `export` has run with the model as it is now, also if it had to refuse it."""
        stage = self.stages.get(export_stage(self.section, self.name))
        return bool(stage and self._model and self._model.items() <= stage.deps.items())

    def contract_folder(self) -> Path | None:
        """The folder of its input contract; None if the pipeline has built none.

        Raises:
            ModelyardError: it is not here, or not what the pipeline made.
        """
        evaluated = self.stages.get(evaluate_stage(self.section, self.name))
        inputs = [Path(path).parent.name for path in evaluated.deps if Path(path).name == TEST] if evaluated else []
        stages = [contract_stage(name) for name in inputs]
        built = dvc_lock.read(self.root, stages)
        return dvc_lock.verified_output(stages[0], CONTRACT, self.root, self.name) if built else None

    def onnx_file(self) -> Path:
        """The converted model.

        Raises:
            NoOnnx: there is none of the model as it is now.
            ModelyardError: it is not what the pipeline made.
        """
        stage = export_stage(self.section, self.name)
        build = f"build it: modelyard run {self.name}"
        if stage not in self.stages:
            raise NoOnnx(f"{self.name} was not converted to ONNX: {build}")
        if any((self.root / path).exists() for path in self._model):
            dvc_lock.verified_output(train_stage(self.section, self.name), MODEL, self.root)  # it was not replaced
        if not self.is_converted:
            raise NoOnnx(f"the ONNX file of {self.name} is of an earlier training: {build}")
        path = next(path for path in self.stages[stage].outs if Path(path).name == FOLDER)
        if not (self.root / path).exists():
            raise NoOnnx(f"{path} is not here: {build}{dvc_lock.or_pull(path, self.root)}")
        folder = dvc_lock.verified_output(stage, FOLDER, self.root)
        conversion = read_json(folder / CONVERSION)
        if not conversion["converted"]:
            raise NoOnnx(f"{self.name} is not there as ONNX: {conversion['reason']}")
        return folder / FILE


class NoOnnx(ModelyardError):
    """Why there is no ONNX file of a model."""


def find(name: str, root: Path) -> ExperimentFiles:
    """Find an experiment in dvc.lock.

    Raises:
        ModelyardError: there is no such experiment, or it was never built.
    """
    names = {stage(each, name): each for each in SECTIONS for stage in (train_stage, evaluate_stage, export_stage)}
    stages = dvc_lock.read(root, list(names))
    sections = {names[stage] for stage in stages}
    if len(sections) == 1:
        return ExperimentFiles(name, sections.pop(), stages, root)
    from modelyard import params

    return ExperimentFiles(name, params.load().section_of(name), stages, root)


def load(experiment: ExperimentFiles, engine: Engine) -> Predictor:
    """Load an experiment's model for an engine; `auto` takes ONNX Runtime if it can.

    Raises:
        ModelyardError: there is no model for this engine, or its files are not what the pipeline made.
    """
    return _load(experiment.onnx_file, lambda: experiment.model_folder, engine)


def load_registered(version: "Version", engine: Engine) -> Predictor:
    """Load a registered model for an engine, as `load` does."""
    from modelyard.serving import registry

    def onnx_file() -> Path:
        folder = registry.onnx_of(version)
        if folder is None:
            raise NoOnnx(f"{version.name}: {version} has no ONNX file. Register it again: modelyard promote EXPERIMENT")
        return folder / FILE

    return _load(onnx_file, lambda: registry.folder_of(version), engine)


def _load(onnx_file: Callable[[], Path], model_folder: Callable[[], Path], engine: Engine) -> Predictor:
    if engine in ("auto", "onnx"):
        try:
            if not is_runtime_installed():
                raise NoOnnx("ONNX Runtime is not installed: pip install onnxruntime")
            return OnnxModel(onnx_file())
        except NoOnnx:
            if engine == "onnx":
                raise
    return load_native(model_folder(), engine)


def load_native(folder: Path, engine: Engine) -> Predictor:
    """Load a model by the library that trained it.

    Raises:
        ModelyardError: another engine than this was asked for.
    """
    found = next(name for name, file in NATIVE_FILES.items() if name == "sklearn" or (folder / file).exists())
    if engine not in ("auto", found):
        raise ModelyardError(f"--engine {engine}: this model is there for {found} only: --engine {found}, or auto")
    from modelyard import models

    try:
        model: Predictor = models.load(folder)
    except ModuleNotFoundError as error:
        raise ModelyardError(f"the model needs {error.name}, which is not installed here, or its ONNX file") from None
    return model
