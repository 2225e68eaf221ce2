"""Values: predictions beside truth, and a point for each."""

from types import SimpleNamespace

import numpy as np
import pytest
import sklearn.metrics

from modelyard import metrics
from modelyard.data.inputs import TrainingInput
from modelyard.experiments.tasks import regression


def test_predictions_stand_beside_the_truth_and_are_drawn_against_it(regression_input: TrainingInput) -> None:
    test = regression_input.validation
    predicted = test.y + np.random.default_rng(0).normal(size=len(test))
    judged = regression.judge(SimpleNamespace(description=regression_input.description), test, predicted)
    np.testing.assert_array_equal(judged.predictions, np.column_stack([test.y, predicted]))
    expected = sklearn.metrics.mean_absolute_error(test.y, predicted)
    assert metrics.values(judged.measures)["mae"] == pytest.approx(expected)
    assert judged.details == {}
    (axes,) = regression.draw(judged, regression_input)["predicted_against_true.png"].axes
    np.testing.assert_allclose(axes.collections[0].get_offsets(), judged.predictions)
