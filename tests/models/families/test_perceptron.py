"""The classical perceptron: it learns what a straight line divides, and answers without probabilities."""

import numpy as np
import pytest
from support.inputs import describe, training_context

from modelyard import models
from modelyard.data.inputs import TrainingInput
from modelyard.data.samples import Samples
from modelyard.models import EstimatorTraining
from modelyard.models.families import perceptron

ROWS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
SETTINGS = perceptron.Settings(family="perceptron")


def predict(targets: list[int], seed: int) -> np.ndarray:
    samples = Samples(ROWS, np.array(targets))
    data = TrainingInput(describe(samples, classes=("0", "1")), samples)
    model, _ = models.fit(SETTINGS, EstimatorTraining(seed=seed), data, training_context())
    return model.predict(ROWS)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("targets", [[0, 0, 0, 1], [0, 1, 1, 1]], ids=["and", "or"])
def test_it_learns_and_and_or(targets: list[int], seed: int) -> None:
    np.testing.assert_array_equal(predict(targets, seed), np.eye(2)[targets])


@pytest.mark.parametrize("seed", range(5))
def test_it_cannot_learn_exclusive_or(seed: int) -> None:
    assert (predict([0, 1, 1, 0], seed).argmax(axis=1) != [0, 1, 1, 0]).any()


def test_it_is_for_classes_only() -> None:
    assert models.tasks_of("perceptron") == ("classification",)
