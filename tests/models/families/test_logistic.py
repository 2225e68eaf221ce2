"""Logistic regression: its settings reach scikit-learn's."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from support.inputs import training_context

from modelyard import models
from modelyard.data.inputs import TrainingInput
from modelyard.models import EstimatorTraining
from modelyard.models.families import logistic


@pytest.mark.parametrize("strength", [0.001, 1.0, 100.0])
def test_it_is_scikit_learns_logistic_regression_of_scaled_samples(strength: float, image_input: TrainingInput) -> None:
    settings = logistic.Settings(family="logistic", C=strength)
    model, history = models.fit(settings, EstimatorTraining(seed=7), image_input, training_context())
    x = image_input.samples.x.reshape(80, -1) / 255
    plain = LogisticRegression(C=strength, max_iter=1000).fit(x[:64], image_input.training.y)
    np.testing.assert_allclose(model.predict(image_input.samples.x), plain.predict_proba(x), atol=1e-6)
    assert len(history) == 1
    assert history.val_accuracy.iloc[0] == plain.score(x[64:], image_input.validation.y)


def test_it_is_for_classes_only() -> None:
    assert models.tasks_of("logistic") == ("classification",)
