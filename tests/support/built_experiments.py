"""Experiments as `modelyard run` leaves them: a fitted model, test samples, and their entries in dvc.lock."""

from pathlib import Path

import numpy as np
from ruamel.yaml import YAML

from modelyard import models
from modelyard.data import contract
from modelyard.data.inputs import TrainingInput, save_test, save_training
from modelyard.data.samples import Samples
from modelyard.models import EstimatorTraining, Runtime
from modelyard.models.families import baseline, linear
from modelyard.orchestration import dvc_lock
from modelyard.serving.conversion import convert_experiment
from support.inputs import describe, training_context

FAMILIES = {"linear": linear, "baseline": baseline}
PARAMS = """
datasets:
  line:
    reader: table
    task: regression
    description: A line with some noise.
    target: y
    files:
      line.csv: {text: "x,y\\n1,2\\n3,4\\n"}
inputs:
  line: {dataset: line, split: {test: 0.5, test_seed: 1}, scaling: none}
  other: {dataset: line, split: {test: 0.5, test_seed: 2}, scaling: none}
experiments:
  mean: {input: line, model: {family: baseline}, training: {seed: 7}}
  fit: {input: line, model: {family: linear}, training: {seed: 7}}
  fit_again: {input: line, model: {family: linear}, training: {seed: 8}}
  leaky: {input: line, model: {family: linear}, training: {seed: 7}}
  elsewhere: {input: other, model: {family: linear}, training: {seed: 7}}
runtime: {}
transfers: {}
backbones: {}
pretrained: {}
studies: {}
batches: {}
"""


def line_samples(count: int, seed: int = 0) -> Samples:
    """Samples of three features and a target that is linear in them, with noise."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, 3))
    return Samples(x, x @ np.array([1.0, -2.0, 0.5]) + 3 + random.normal(scale=0.5, size=count))


def fit_model(family: str, samples: Samples, **changes: object) -> models.Model:
    """A scikit-learn model, fitted to all of these samples."""
    data = TrainingInput(describe(samples, **changes), samples)
    settings = FAMILIES[family].Settings(family=family)
    return models.fit(settings, EstimatorTraining(seed=7), data, training_context())[0]


def save_model(model: models.Model, folder: Path) -> Path:
    """Save a model and return its folder."""
    folder.mkdir(parents=True)
    model.save(folder)
    return folder


def build_experiment(experiment: str, model: models.Model, test: Samples, input_name: str, project: Path) -> None:
    """Write an experiment's model and its test samples, and lock them."""
    model_folder = project / "results" / experiment / "model"
    test_folder = project / "data" / "inputs" / input_name / "test"
    save_model(model, model_folder)
    save_test(test, test_folder)
    lock_experiment(experiment, model_folder, test_folder, project)


def build_contract(input_name: str, samples: Samples, project: Path, **changes: object) -> Path:
    """Write the input contract of these training samples, and lock it; returns its folder."""
    folder = project / "data" / "inputs" / input_name / "contract"
    contract.describe_training(samples.x, describe(samples, **changes)).save(folder)
    file = project / "dvc.lock"
    content = YAML(typ="safe").load(file) if file.exists() else {"schema": "2.0", "stages": {}}
    out = {"path": folder.relative_to(project).as_posix(), "hash": "md5", "md5": dvc_lock.md5(folder)}
    content["stages"][f"contract@{input_name}"] = {"cmd": "contract", "outs": [out]}
    YAML().dump(content, file)
    return folder


def lock_experiment(experiment: str, model: Path, test: Path, project: Path) -> None:
    """Add the stages of an experiment to dvc.lock."""
    file = project / "dvc.lock"
    content = YAML(typ="safe").load(file) if file.exists() else {"schema": "2.0", "stages": {}}
    of_model, of_test = (
        {"path": each.relative_to(project).as_posix(), "hash": "md5", "md5": dvc_lock.md5(each)}
        for each in (model, test)
    )
    content["stages"] |= {
        f"train@{experiment}": {"cmd": "train", "outs": [of_model]},
        f"evaluate@{experiment}": {"cmd": "evaluate", "deps": [of_test, of_model]},
    }
    YAML().dump(content, file)


def make_converted_project(folder: Path) -> None:
    """Make a project with the experiment `fit`, a linear model, and its ONNX file."""
    (folder / "params.yaml").write_text(PARAMS)
    build_experiment("fit", fit_model("linear", line_samples(60)), line_samples(20), "line", folder)
    convert_and_lock("fit", line_samples(60), folder)


def convert_and_lock(experiment: str, samples: Samples, project: Path) -> None:
    """Convert the model of an experiment to ONNX as its stage does, and add the stage to dvc.lock."""
    results = project / "results" / experiment
    model = models.load(results / "model")
    save_training(TrainingInput(model.description, samples), project / "training")
    convert_experiment(results / "model", project / "training", results / "onnx", Runtime())
    lock_conversion(experiment, project)


def lock_conversion(experiment: str, project: Path) -> None:
    """Add the stage of a conversion to dvc.lock, with its files as they are."""
    file = project / "dvc.lock"
    content = YAML(typ="safe").load(file)
    model, onnx = (
        {"path": path, "hash": "md5", "md5": dvc_lock.md5(project / path)}
        for path in (f"results/{experiment}/model", f"results/{experiment}/onnx")
    )
    content["stages"][f"export@{experiment}"] = {"cmd": "export", "deps": [model], "outs": [onnx]}
    YAML().dump(content, file)
