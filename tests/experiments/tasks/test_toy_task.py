"""A new task needs no change of existing code: one module, and an entry in each registry of tasks."""

import ast
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from support import counting
from support.inputs import describe, training_context
from support.paths import ROOT

from modelyard import metrics, models
from modelyard.data.inputs import TrainingInput, save_test
from modelyard.data.readers import table
from modelyard.data.readers.table import TableDataset
from modelyard.data.samples import TARGET_KINDS, Samples, Task
from modelyard.experiments import data_card, evaluate, feature_importance, tasks
from modelyard.models import NetworkTraining
from modelyard.models.engine import tasks as training_tasks
from modelyard.models.engine.base import Layer
from modelyard.models.families import mlp
from modelyard.serving import predict
from modelyard.serving.batch import PredictionBatch

PACKAGE = ROOT / "src" / "modelyard"
TASK_MODULES = (PACKAGE / "experiments" / "tasks", PACKAGE / "models" / "engine" / "tasks.py")
"""What may differ by task."""

X = np.array([[1.0, 0.0], [2.0, 1.0], [4.0, 1.0], [0.0, 0.0], [3.0, 1.0], [5.0, 0.0]])
Y = X.sum(axis=1).astype(int)
MISCOUNTED = Samples(X, Y + np.array([0, 0, 0, 0, 0, 1]))
HISTORY = pd.DataFrame({"epoch": [1], "loss": [0.5]})


class Adder:
    """A fitted model that adds the two features of a sample."""

    flavour = "none"
    layers = (Layer("sum", "Sum", (1,), 0),)

    def __init__(self, data: TrainingInput) -> None:
        self.description = data.description

    def predict(self, x: np.ndarray) -> np.ndarray:
        return x.sum(axis=1)

    def first_convolution(self, image: np.ndarray) -> None:
        return None


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TARGET_KINDS, counting.NAME, "number")
    monkeypatch.setitem(training_tasks.TASKS, counting.NAME, counting.TRAINING)
    monkeypatch.setitem(metrics.METRICS, counting.NAME, counting.METRICS)
    monkeypatch.setitem(tasks.TASKS, counting.NAME, counting)


@pytest.fixture
def data() -> TrainingInput:
    samples = Samples(X, Y)
    described = describe(samples, 2, features=("big", "small"))
    return TrainingInput(described.model_copy(update={"task": counting.NAME}), samples)


def test_a_model_is_evaluated_and_plotted(data: TrainingInput, tmp_path: Path) -> None:
    save_test(MISCOUNTED, tmp_path)
    evaluation = evaluate.evaluate(Adder(data), tmp_path)
    assert evaluation.metrics == {"exact": pytest.approx(5 / 6), "miscount": pytest.approx(1 / 6)}
    assert evaluation.details["intervals"].keys() == evaluation.metrics.keys()
    assert metrics.headline_metric(counting.NAME) == "exact"
    plots = evaluate.plot_evaluation(evaluation, data, HISTORY)
    assert plots.keys() == {"counts.png", "layers.png", "learning_curve.png"}


def test_a_network_is_trained_and_evaluated(data: TrainingInput, tmp_path: Path) -> None:
    training = NetworkTraining(seed=7, epochs=300, batch_size=4, learning_rate=0.05, loss="mse")
    model, history = models.fit(mlp.Settings(family="mlp", units=()), training, data, training_context(tmp_path))
    assert history.loss.iloc[-1] < history.loss.iloc[0]
    save_test(data.samples, tmp_path / "test")
    assert evaluate.evaluate(model, tmp_path / "test").metrics["exact"] == 1


def test_a_data_card_describes_its_targets(data: TrainingInput) -> None:
    card = data_card.describe(data, MISCOUNTED)
    assert {name: part["largest_count"] for name, part in card["parts"].items()} == {
        "training": 5,
        "validation": 5,
        "test": 6,
    }


def test_predictions_are_shown_in_a_table_and_a_plot(data: TrainingInput) -> None:
    batch, model = PredictionBatch({"row": [1, 2]}, X[:2]), Adder(data)
    outputs = model.predict(batch.x)
    shown = predict.prediction_table(batch, outputs, data.description)
    assert shown.to_dict("list") == {"row": [1, 2], "count": [1, 3]}
    assert len(predict.plot_predictions(batch, outputs, data.description).axes) == 1


def test_features_are_explained_by_its_error(data: TrainingInput, tmp_path: Path) -> None:
    save_test(MISCOUNTED, tmp_path)
    importances = feature_importance.explain(Adder(data), data, tmp_path, shuffles=20).set_index("feature")
    assert importances.value["big"] > importances.value["small"] > 0
    assert feature_importance.error_label(Adder(data)) == "mean miscount"


def test_its_targets_are_read_from_a_table(tmp_path: Path) -> None:
    (tmp_path / "counts.csv").write_text("big,small,count\n1,0,1\n2,1,3\n")
    files = {"counts.csv": {"text": "unused"}}
    settings = TableDataset(reader="table", task="regression", description="Counts.", target="count", files=files)
    raw = table.read(tmp_path, settings.model_copy(update={"task": counting.NAME}))
    np.testing.assert_array_equal(raw.samples.y, [1.0, 3.0])


def compared_strings(path: Path) -> set[str]:
    """The strings with which a module compares something: by `==`, `in` or `match`."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    comparisons = (node for node in nodes if isinstance(node, ast.Compare | ast.MatchValue))
    return {
        part.value
        for node in comparisons
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    }


def test_only_the_modules_of_tasks_compare_with_the_name_of_a_task() -> None:
    comparing = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if not any(path.is_relative_to(allowed) for allowed in TASK_MODULES)
        and compared_strings(path) & set(get_args(Task))
    }
    assert comparing == set()
