"""What each column is worth: coefficients and importances of models whose truth is known."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.api import OLS, add_constant
from support.inputs import describe, training_context

from modelyard import models
from modelyard.core.errors import ModelyardError
from modelyard.data.inputs import TrainingInput, refit, save_test
from modelyard.data.samples import Samples
from modelyard.data.target_scaling import TargetScaler
from modelyard.experiments import feature_importance, plots
from modelyard.models import EstimatorTraining, Model
from modelyard.models.families import boosting, linear

SLOPES = np.array([3.0, -1.0, 0.0])
FEATURES = ("first", "second", "idle")


@pytest.fixture
def data() -> TrainingInput:
    """200 rows; the target is 3 times the first column less the second, which varies ten times as much."""
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 3)) * [1, 10, 1]
    rows = Samples(x, x @ SLOPES + random.normal(scale=0.5, size=200))
    return TrainingInput(describe(rows, features=FEATURES), rows)


@pytest.fixture
def held_back(data: TrainingInput, tmp_path: Path) -> Path:
    save_test(data.samples.take(np.arange(100)), tmp_path / "test")
    return tmp_path / "test"


def fitted(data: TrainingInput, settings: object) -> Model:
    return models.fit(settings, EstimatorTraining(seed=7), data, training_context())[0]


def explained(data: TrainingInput, settings: object, test: Path) -> pd.DataFrame:
    return feature_importance.explain(fitted(data, settings), data, test, shuffles=10)


LINEAR, BOOSTING = linear.Settings(family="linear"), boosting.Settings(family="boosting", n_estimators=60)


def test_coefficients_are_those_of_the_model_for_one_standard_deviation(data, held_back):
    found = explained(data, LINEAR, held_back)
    found = found[found.measure == "coefficient"].set_index("feature")
    assert found.value.to_numpy() == pytest.approx(SLOPES * data.samples.x.std(axis=0), abs=0.15)
    own = fitted(data, LINEAR).coefficients().set_index("feature").coefficient
    assert found.value["first"] == pytest.approx(own["first"] * data.samples.x[:, 0].std())


def test_the_interval_of_a_coefficient_is_that_of_least_squares_and_contains_it(data, held_back):
    found = explained(data, LINEAR, held_back)
    found = found[found.measure == "coefficient"]
    squares = (
        OLS(data.samples.y, add_constant(data.samples.x)).fit().conf_int(0.05)[1:] * data.samples.x.std(axis=0)[:, None]
    )
    np.testing.assert_allclose(found[["low", "high"]], squares)
    assert (found.low < found.value).all()
    assert (found.value < found.high).all()
    idle = found.set_index("feature").loc["idle"]
    assert idle.low < 0 < idle.high


@pytest.mark.parametrize("settings", [LINEAR, BOOSTING], ids=["linear", "boosting"])
def test_a_feature_with_more_influence_has_the_higher_importance_and_an_unused_one_none(data, held_back, settings):
    found = explained(data, settings, held_back)
    found = found[found.measure == "importance"].set_index("feature")
    assert found.value["second"] > found.value["first"] > 1
    assert found.value["idle"] == pytest.approx(0, abs=0.1)
    assert (found.low <= found.value).all()
    assert (found.value <= found.high).all()


def test_only_a_linear_regression_has_coefficients(data, held_back):
    assert set(explained(data, BOOSTING, held_back).measure) == {"importance"}


def test_coefficients_of_scaled_targets_lie_in_their_intervals_and_those_of_logarithms_are_not_shown(data, tmp_path):
    rows = Samples(data.samples.x, data.samples.y - data.samples.y.min())
    save_test(rows, tmp_path / "rows")

    def explained_with(method: str) -> pd.DataFrame:
        unfitted = data.description.model_copy(update={"target_scaler": TargetScaler(method=method)})
        return explained(TrainingInput(refit(unfitted, rows), rows), LINEAR, tmp_path / "rows")

    found = explained_with("standard").query("measure == 'coefficient'")
    assert found.value.to_numpy() == pytest.approx((found.low + found.high).to_numpy() / 2)
    assert set(explained_with("log").measure) == {"importance"}


def test_the_importance_for_a_classification_is_an_increase_of_the_share_of_wrong_predictions(data, tmp_path):
    rows = Samples(data.samples.x, (data.samples.x[:, 0] > 0).astype(np.uint8))
    of_classes = TrainingInput(describe(rows, classes=("no", "yes"), features=FEATURES), rows)
    save_test(rows, tmp_path / "rows")
    found = explained(of_classes, BOOSTING, tmp_path / "rows").set_index("feature")
    assert found.value["first"] == pytest.approx(0.5, abs=0.1)
    assert found.value["idle"] == pytest.approx(0, abs=0.02)
    assert feature_importance.error_label(fitted(of_classes, BOOSTING)) == "share of wrong predictions"


def test_importances_are_reproducible(data, held_back):
    pd.testing.assert_frame_equal(explained(data, LINEAR, held_back), explained(data, LINEAR, held_back))


def test_images_are_refused(image_input, tmp_path):
    save_test(image_input.validation, tmp_path / "test")
    model = fitted(image_input, LINEAR)
    with pytest.raises(ModelyardError, match=r"explain is for tables; .* shape \(8, 8, 1\)"):
        feature_importance.explain(model, image_input, tmp_path / "test", 2)


def test_the_plot_has_both_measures_with_their_units_and_every_model(data, held_back, tmp_path):
    parts = {"line": LINEAR, "trees": BOOSTING}
    table = pd.concat([explained(data, each, held_back).assign(experiment=name) for name, each in parts.items()])
    figure = feature_importance.plot(table, "mean absolute error", "1000 dollars")
    left, right = figure.axes
    assert left.get_xlabel() == "change of the prediction for one standard deviation\nin 1000 dollars"
    assert right.get_xlabel() == "increase of the mean absolute error when shuffled\nin 1000 dollars"
    assert [tick.get_text() for tick in left.get_yticklabels()] == ["idle", "first", "second"]  # upwards
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["line", "trees"]
    for name in ("one.png", "other.png"):
        plots.save(feature_importance.plot(table, "mean absolute error"), tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "other.png").read_bytes()
