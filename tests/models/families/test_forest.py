"""Random forest: its settings reach scikit-learn's, with the defaults of each task."""

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from support.inputs import training_context

from modelyard import models
from modelyard.core.config import Settings
from modelyard.data.inputs import TrainingInput
from modelyard.models import EstimatorTraining
from modelyard.models.families import forest

CHANGES = [
    {},
    {"max_depth": 2, "min_samples_leaf": 3},
    {"max_features": "log2"},
    {"max_features": 0.5},
    {"max_features": 1.0},
]


def settings(**changes: Any) -> Settings:
    return forest.Settings(family="forest", n_estimators=9, **changes)


@pytest.mark.parametrize("changes", CHANGES)
def test_of_values_it_is_scikit_learns_random_forest(changes: dict, regression_input: TrainingInput) -> None:
    model, history = models.fit(settings(**changes), EstimatorTraining(seed=7), regression_input, training_context())
    training = regression_input.training
    plain = RandomForestRegressor(n_estimators=9, random_state=7, **changes).fit(training.x, training.y)
    expected = plain.predict(regression_input.samples.x)
    np.testing.assert_allclose(model.predict(regression_input.samples.x), expected, rtol=1e-9)
    assert len(history) == 1


@pytest.mark.parametrize("changes", CHANGES)
def test_of_classes_it_is_scikit_learns_random_forest(changes: dict, image_input: TrainingInput) -> None:
    model, _ = models.fit(settings(**changes), EstimatorTraining(seed=7), image_input, training_context())
    x = image_input.samples.x.reshape(80, -1) / 255
    plain = RandomForestClassifier(n_estimators=9, random_state=7, **changes).fit(x[:64], image_input.training.y)
    np.testing.assert_allclose(model.predict(image_input.samples.x), plain.predict_proba(x), rtol=1e-9)
