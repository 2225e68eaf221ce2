"""What answers for an experiment: its ONNX file where it is there and of the model as it is, else the library."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from support.built_experiments import (
    PARAMS,
    build_experiment,
    convert_and_lock,
    fit_model,
    line_samples,
    lock_conversion,
)

from modelyard.core.errors import ModelyardError
from modelyard.core.files import write_json
from modelyard.models.engine.sklearn_model import SklearnModel
from modelyard.serving import engines
from modelyard.serving.onnx_model import CONVERSION, OnnxModel

X = line_samples(20).x


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The experiment `fit` with its ONNX file, and `mean` without."""
    (tmp_path / "params.yaml").write_text(PARAMS)
    samples = line_samples(60)
    for family, name in (("linear", "fit"), ("baseline", "mean")):
        build_experiment(name, fit_model(family, samples), line_samples(20, seed=1), "line", tmp_path)
    convert_and_lock("fit", samples, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(name: str, engine: engines.Engine, root: Path) -> engines.Predictor:
    return engines.load(engines.find(name, root), engine)


def test_the_onnx_file_answers_where_it_is_there_and_the_library_where_not(project):
    assert isinstance(load("fit", "auto", project), OnnxModel)
    assert isinstance(load("mean", "auto", project), SklearnModel)
    np.testing.assert_allclose(
        load("fit", "onnx", project).predict(X), load("fit", "sklearn", project).predict(X), rtol=1e-4
    )


def test_the_library_answers_where_onnx_runtime_is_not_installed(project, monkeypatch):
    monkeypatch.setattr(engines, "is_runtime_installed", lambda: False)
    assert isinstance(load("fit", "auto", project), SklearnModel)
    with pytest.raises(ModelyardError, match="ONNX Runtime is not installed: pip install onnxruntime"):
        load("fit", "onnx", project)


def test_an_onnx_file_of_an_earlier_training_does_not_answer(project):
    shutil.rmtree(project / "results/fit/model")
    build_experiment("fit", fit_model("linear", line_samples(60, seed=5)), line_samples(20), "line", project)
    assert isinstance(load("fit", "auto", project), SklearnModel)
    with pytest.raises(ModelyardError, match="of an earlier training: build it: modelyard run fit"):
        load("fit", "onnx", project)


@pytest.mark.parametrize("file", ["model/model.skops", "model/input.json", "onnx/model.onnx", "onnx/conversion.json"])
def test_a_changed_file_of_either_is_refused(file, project):
    with (project / "results/fit" / file).open("ab") as content:
        content.write(b" ")
    folder = Path(file).parent
    with pytest.raises(ModelyardError, match=f"results/fit/{folder} was refused: it is not what the pipeline made"):
        load("fit", "auto", project)


def test_the_onnx_file_answers_without_the_model_of_the_library(project):
    shutil.rmtree(project / "results/fit/model")
    assert isinstance(load("fit", "auto", project), OnnxModel)


def test_without_its_onnx_file_the_library_answers(project):
    shutil.rmtree(project / "results/fit/onnx")
    assert isinstance(load("fit", "auto", project), SklearnModel)
    with pytest.raises(
        ModelyardError,
        match=r"results/fit/onnx is not here: build it: modelyard run fit$",
    ):
        load("fit", "onnx", project)


def test_of_a_model_that_could_not_be_converted_the_reason_is_given(project):
    (project / "results/fit/onnx/model.onnx").unlink()
    write_json(project / "results/fit/onnx" / CONVERSION, {"converted": False, "reason": "a layer is unknown"})
    lock_conversion("fit", project)
    assert isinstance(load("fit", "auto", project), SklearnModel)
    with pytest.raises(ModelyardError, match="fit is not there as ONNX: a layer is unknown"):
        load("fit", "onnx", project)


def test_an_engine_of_another_library_is_refused_with_the_right_one(project):
    with pytest.raises(ModelyardError, match="--engine keras: this model is there for sklearn only: --engine sklearn"):
        load("fit", "keras", project)


def test_an_experiment_that_does_not_exist_or_was_never_built_is_refused(project):
    with pytest.raises(ModelyardError, match="no such experiment: fitt; did you mean fit"):
        engines.find("fitt", project)
    with pytest.raises(ModelyardError, match="has no train@leaky: it was never built"):
        load("leaky", "auto", project)


def test_a_model_whose_library_is_not_installed_says_what_it_needs(project, monkeypatch):
    monkeypatch.setitem(sys.modules, "skops.io", None)
    with pytest.raises(ModelyardError, match=r"the model needs skops\.io, which is not installed"):
        load("mean", "auto", project)


def test_a_version_says_whether_the_model_is_converted_so_that_a_server_loads_it_again(project):
    converted = engines.find("fit", project).version
    shutil.rmtree(project / "results/fit/model")
    build_experiment("fit", fit_model("linear", line_samples(60, seed=5)), line_samples(20), "line", project)
    trained = engines.find("fit", project).version
    assert trained.endswith(" (not converted to ONNX)")
    convert_and_lock("fit", line_samples(60), project)
    assert engines.find("fit", project).version == trained.removesuffix(" (not converted to ONNX)") != converted
