"""The model of a server: which version it takes, and when it keeps the one that it has."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from support.built_experiments import (
    build_experiment,
    convert_and_lock,
    fit_model,
    line_samples,
    lock_conversion,
    make_converted_project,
)

from modelyard.core.files import write_json
from modelyard.models.engine.sklearn_model import SklearnModel
from modelyard.serving import engines, registry
from modelyard.serving.onnx_model import CONVERSION, OnnxModel
from modelyard.serving.registry import Version
from modelyard.serving.served_model import ServedModel, find_source


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The experiment `fit` with its ONNX file."""
    make_converted_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train_again(project: Path) -> None:
    """Only the stage `train` has run."""
    shutil.rmtree(project / "results/fit/model")
    build_experiment("fit", fit_model("linear", line_samples(60, seed=5)), line_samples(20), "line", project)


def test_between_training_and_export_the_onnx_model_goes_on(project, caplog):
    served = ServedModel(find_source("fit", "auto", project))
    before = served.current
    train_again(project)
    assert not any(served.refresh() for _ in range(3))
    assert served.current == before
    assert [record.message for record in caplog.records] == [
        f"{before.version} goes on until the stage export has run: there is fit {engines.find('fit', project).version}"
    ]
    convert_and_lock("fit", line_samples(60), project)
    assert served.refresh()
    assert isinstance(served.current.model, OnnxModel)
    assert served.current.version != before.version


def test_a_model_that_export_could_not_convert_is_taken(project):
    served = ServedModel(find_source("fit", "auto", project))
    train_again(project)
    (project / "results/fit/onnx/model.onnx").unlink()
    write_json(project / "results/fit/onnx" / CONVERSION, {"converted": False, "reason": "a layer is unknown"})
    lock_conversion("fit", project)
    assert served.refresh()
    assert isinstance(served.current.model, SklearnModel)


def test_a_server_that_answers_by_the_library_takes_a_model_that_is_not_converted(project):
    served = ServedModel(find_source("fit", "sklearn", project))
    train_again(project)
    assert served.refresh()


def test_a_champion_that_changes_while_it_is_loaded_has_its_own_version(monkeypatch):
    numbers = iter("345")
    monkeypatch.setattr(registry, "resolve", lambda name: Version("mnist", next(numbers), {}))
    monkeypatch.setattr(engines, "load_registered", lambda version, _: Numbered(version.number))
    current = ServedModel(find_source("mnist@champion", "auto", Path())).current
    assert (current.version, current.model.number) == ("mnist@champion version 3", "3")


class Numbered:
    """A model that knows the version that it was loaded as."""

    description = fit_model("linear", line_samples(60)).description

    def __init__(self, number: str) -> None:
        self.number = number

    def predict(self, x: np.ndarray) -> np.ndarray:
        return np.zeros(len(x))
