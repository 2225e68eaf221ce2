"""Regression: predicted beside true values, and a point for each sample."""

from types import SimpleNamespace

import numpy as np
import pytest
import sklearn.metrics

from modelyard import metrics
from modelyard.data.inputs import TrainingInput
from modelyard.experiments.tasks import regression


def test_predictions_are_listed_and_plotted_against_the_truth(regression_input: TrainingInput) -> None:
    test = regression_input.validation
    predicted = test.y + np.random.default_rng(0).normal(size=len(test))
    scored = regression.score(SimpleNamespace(description=regression_input.description), test, predicted)
    np.testing.assert_array_equal(scored.predictions, np.column_stack([test.y, predicted]))
    expected = sklearn.metrics.mean_absolute_error(test.y, predicted)
    assert metrics.values(scored.bound_metrics)["mae"] == pytest.approx(expected)
    assert scored.details == {}
    (axes,) = regression.plot(scored, regression_input)["predicted_against_true.png"].axes
    np.testing.assert_allclose(axes.collections[0].get_offsets(), scored.predictions)
