"""The stage `export`: a converted model is kept if it answers as the model itself does."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.built_experiments import fit_model, line_samples, save_model
from support.inputs import describe, training_context

from modelyard import models
from modelyard.core.files import read_json
from modelyard.data.inputs import TrainingInput, save_training
from modelyard.data.samples import Samples
from modelyard.models import EstimatorTraining, Runtime
from modelyard.models.export import NotConvertible
from modelyard.models.families import histogram_boosting
from modelyard.serving import conversion
from modelyard.serving.conversion import convert_experiment
from modelyard.serving.onnx_model import CONVERSION, FILE, OnnxModel


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path, Path]:
    """The folders of a model and of its training samples, and the one to be written."""
    samples = line_samples(60)
    model = fit_model("linear", samples)
    description = model.description.model_copy(update={"training_samples": 45, "validation_samples": 15})
    save_training(TrainingInput(description, samples), tmp_path / "training")
    return save_model(model, tmp_path / "model"), tmp_path / "training", tmp_path / "onnx"


def test_a_model_is_converted_to_equal_bytes_and_its_answers_are_checked_on_all_samples(folders, tmp_path):
    line = convert_experiment(*folders, Runtime())
    assert line.startswith("model: answers for 60 samples differ by ")
    convert_experiment(*folders[:2], tmp_path / "again", Runtime())
    for name in (FILE, CONVERSION):
        assert (folders[2] / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    assert read_json(folders[2] / CONVERSION)["converted"] is True
    model = OnnxModel(folders[2] / FILE)
    assert model.predict(np.zeros((0, 3))).shape == (0,)
    assert model.predict(np.zeros((2500, 3))).shape == (2500,)


def test_trees_that_answer_otherwise_for_few_samples_are_not_kept(tmp_path):
    """The steps between float32 values of these seconds since 1970 are wider than those between the samples."""
    seconds = 1.7e9 + 60.0 * np.arange(6000)
    samples = Samples(seconds[:, np.newaxis], 5.0 * (seconds > seconds[1000]) + np.sin(seconds / 7000))
    data = TrainingInput(describe(samples, 200), samples)
    settings = histogram_boosting.Settings(family="histogram_boosting")
    model, _ = models.fit(settings, EstimatorTraining(seed=0), data, training_context())
    save_training(data, tmp_path / "training")
    line = convert_experiment(
        save_model(model, tmp_path / "model"), tmp_path / "training", tmp_path / "onnx", Runtime()
    )
    assert "of 6000 numbers differ from the answers of the model itself" in line


def test_a_model_that_cannot_be_converted_is_no_failure_and_leaves_the_reason(folders, monkeypatch):
    def refuse(_):
        raise NotConvertible("a layer is unknown")

    monkeypatch.setattr(conversion, "convert", refuse)
    assert convert_experiment(*folders, Runtime()) == "not converted: a layer is unknown"
    assert [path.name for path in folders[2].iterdir()] == [CONVERSION]
    assert read_json(folders[2] / CONVERSION) == {"converted": False, "reason": "a layer is unknown"}


@pytest.mark.parametrize(
    "wrong, reason",
    [
        (lambda answers: answers * (1 + 2e-4), "60 of 60 numbers"),
        (lambda answers: np.where(np.arange(60) == 7, np.nan, answers), "1 of 60 numbers"),
        (lambda answers: answers[:, np.newaxis], r"the shape \(60, 1\) instead of \(60,\)"),
    ],
    ids=["a little off", "not a number", "another shape"],
)
def test_a_converted_model_with_other_answers_is_not_kept(wrong, reason, folders):
    answers = fit_model("linear", line_samples(60)).predict(line_samples(60).x)
    with pytest.raises(NotConvertible, match=reason):
        conversion.compare(wrong(answers), answers)


def test_a_file_that_onnx_runtime_cannot_open_is_not_kept():
    with pytest.raises(NotConvertible, match="ONNX Runtime: "):
        conversion._loaded(b"no model")


def test_onnx_runtime_is_told_to_send_no_usage_data_before_it_is_imported(folders):
    convert_experiment(*folders, Runtime())
    variables = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    code = f"""
import os, sys
class Watch:
    def find_spec(name, path=None, target=None):
        if name == "onnxruntime":
            print(os.environ.get("ORT_DISABLE_TELEMETRY"))
sys.meta_path.insert(0, Watch)
from modelyard.serving.onnx_model import OnnxModel
OnnxModel({str(folders[2] / FILE)!r}).description
"""
    finished = subprocess.run([sys.executable, "-c", code], env=variables, check=True, capture_output=True, text=True)
    assert set(finished.stdout.split()) == {"1"}
