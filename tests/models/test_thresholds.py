"""A decision threshold is chosen in training, kept in the model's folder, and refused before anything is fitted."""

from pathlib import Path

import numpy as np
import pytest
from support.inputs import describe, training_context

from modelyard import models
from modelyard.core.errors import ModelyardError
from modelyard.core.files import sha256
from modelyard.data.decision_threshold import choose_threshold
from modelyard.data.inputs import TrainingInput
from modelyard.data.samples import Samples
from modelyard.models import EstimatorTraining
from modelyard.models.families import logistic
from modelyard.tracking.mlflow_schema import model_digest

SETTINGS = logistic.Settings(family="logistic")


def rare(count: int = 400, validation: int = 100) -> TrainingInput:
    """Samples of two classes that overlap, one of them rare."""
    random = np.random.default_rng(0)
    y = (random.random(count) < 0.15).astype(np.int64)
    rows = Samples(random.normal(size=(count, 2)) + 1.2 * y[:, np.newaxis], y)
    return TrainingInput(describe(rows, validation, ("common", "rare")), rows)


def fit(data: TrainingInput, **training: object) -> models.Model:
    return models.fit(SETTINGS, EstimatorTraining(seed=7, **training), data, training_context())[0]


def test_the_threshold_is_that_of_the_validation_samples_and_is_kept_with_the_model(tmp_path: Path) -> None:
    data = rare()
    model = fit(data, threshold="f1")
    expected = choose_threshold("f1", data.validation.y, model.predict(data.validation.x)[:, 1])
    assert model.description.threshold == expected
    assert expected.value < 0.5 and expected.validation > expected.validation_at_half
    model.save(tmp_path)
    assert models.load(tmp_path).description == model.description


def test_costs_of_errors_are_a_goal(tmp_path: Path) -> None:
    data = rare(4000, 1000)
    model = fit(data, threshold={"false_positive": 1, "false_negative": 10})
    model.save(tmp_path)
    found = models.load(tmp_path).description.threshold
    assert found == model.description.threshold
    assert found.goal.false_negative == 10
    assert found.value < 0.2 < fit(data, threshold="f1").description.threshold.value


def test_a_threshold_changes_neither_the_model_file_nor_that_of_models_without_one(tmp_path: Path) -> None:
    for name, training in (("with", {"threshold": "f1"}), ("without", {})):
        (tmp_path / name).mkdir()
        fit(rare(), **training).save(tmp_path / name)
    same = [(tmp_path / name / "model.skops").read_bytes() for name in ("with", "without")]
    assert same[0] == same[1]
    assert "threshold" not in (tmp_path / "without" / "input.json").read_text()
    assert model_digest(tmp_path / "without") == sha256(tmp_path / "without" / "model.skops")
    assert model_digest(tmp_path / "with") != model_digest(tmp_path / "without")  # MLflow logs another model


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (rare(validation=0), "this input has none: give its `split` a `validation` fraction"),
        (rare(count=8, validation=2), "all 2 are of class 'common'"),
    ],
)
def test_a_threshold_that_nothing_can_choose_is_refused_before_a_fit(
    data: TrainingInput, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logistic, "build", lambda *_: pytest.fail("it was fitted"))
    with pytest.raises(ModelyardError, match=said):
        fit(data, threshold="f1")
