"""Every task is judged and drawn by a module of its own, and measures what a comparison shows."""

import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from support.inputs import training_context

from modelyard import metrics, models
from modelyard.data.inputs import TrainingInput, save_test
from modelyard.data.samples import Task
from modelyard.experiments import evaluate, plots, tasks
from modelyard.models import EstimatorTraining, NetworkTraining
from modelyard.models.families import autoencoder, detector, linear

LINEAR = linear.Settings(family="linear"), EstimatorTraining(seed=7)
MODELS = {
    "classification": ("image_input", *LINEAR),
    "regression": ("regression_input", *LINEAR),
    "reconstruction": (
        "image_input",
        autoencoder.Settings(family="autoencoder", codes=4),
        NetworkTraining(seed=7, epochs=2, loss="mse"),
    ),
    "detection": (
        "box_input",
        detector.Settings(family="detector", filters=(8, 8)),
        NetworkTraining(seed=7, epochs=40, batch_size=16, learning_rate=0.01, loss="detection"),
    ),
}


@pytest.fixture(params=MODELS)
def evaluated(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, evaluate.Evaluation, evaluate.Pictures]:
    """A task's name, and a model of it evaluated on the rows for validation."""
    name, settings, training = MODELS[request.param]
    data: TrainingInput = request.getfixturevalue(name)
    model, history = models.fit(settings, training, data, training_context(tmp_path))
    save_test(data.validation, tmp_path / "test")
    found = evaluate.evaluate(model, tmp_path / "test")
    return request.param, found, evaluate.draw(found, data, history)


def test_each_task_is_the_module_of_its_name() -> None:
    assert tasks._TASKS.keys() == set(get_args(Task))
    assert all(module is sys.modules[f"modelyard.experiments.tasks.{name}"] for name, module in tasks._TASKS.items())


def test_what_a_comparison_shows_is_measured_with_its_interval(
    evaluated: tuple[str, evaluate.Evaluation, evaluate.Pictures], tmp_path: Path
) -> None:
    task, found, pictures = evaluated
    assert set(metrics.shown_metrics(task)) <= found.metrics.keys()
    assert found.details["intervals"].keys() == found.metrics.keys()
    for name, (low, high) in found.details["intervals"].items():
        assert low <= found.metrics[name] <= high
    assert np.isfinite(list(found.metrics.values())).all()
    assert len(found.predictions) > 0
    for name, picture in pictures.items():
        plots.save(picture, tmp_path / name)
        assert (tmp_path / name).stat().st_size > 1000
