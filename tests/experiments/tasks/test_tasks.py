"""Every task is scored and plotted by its own module, with the metrics that a comparison shows."""

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
        autoencoder.Settings(family="autoencoder", latent_dim=4),
        NetworkTraining(seed=7, epochs=2, loss="mse"),
    ),
    "detection": (
        "box_input",
        detector.Settings(family="detector", filters=(8, 8)),
        NetworkTraining(seed=7, epochs=40, batch_size=16, learning_rate=0.01, loss="detection"),
    ),
}


@pytest.fixture(params=MODELS)
def evaluated(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, evaluate.Evaluation, tasks.Plots]:
    """A task's name, and a model evaluated on the validation samples, with its plots."""
    name, settings, training = MODELS[request.param]
    data: TrainingInput = request.getfixturevalue(name)
    model, history = models.fit(settings, training, data, training_context(tmp_path))
    save_test(data.validation, tmp_path / "test")
    evaluation = evaluate.evaluate(model, tmp_path / "test")
    return request.param, evaluation, evaluate.plot_evaluation(evaluation, data, history)


def test_each_task_is_the_module_of_its_name() -> None:
    assert tasks.TASKS.keys() == set(get_args(Task))
    assert all(module is sys.modules[f"modelyard.experiments.tasks.{name}"] for name, module in tasks.TASKS.items())


def test_the_metrics_of_a_comparison_are_computed_with_their_intervals(
    evaluated: tuple[str, evaluate.Evaluation, tasks.Plots], tmp_path: Path
) -> None:
    task, evaluation, files = evaluated
    assert set(metrics.shown_metrics(task)) <= evaluation.metrics.keys()
    assert evaluation.details["intervals"].keys() == evaluation.metrics.keys()
    for name, (low, high) in evaluation.details["intervals"].items():
        assert low <= evaluation.metrics[name] <= high
    assert np.isfinite(list(evaluation.metrics.values())).all()
    assert len(evaluation.predictions) > 0
    for name, plot in files.items():
        plots.save(plot, tmp_path / name)
        assert (tmp_path / name).stat().st_size > 1000
