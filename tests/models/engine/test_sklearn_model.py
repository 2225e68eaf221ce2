"""Scikit-learn models: coefficients in raw units, the history of an ensemble, and untrusted types."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter
from support.inputs import training_context

from modelyard import models
from modelyard.core.errors import ModelyardError
from modelyard.data import scaling
from modelyard.data.inputs import TrainingInput, refit, save_description
from modelyard.data.samples import Samples
from modelyard.data.target_scaling import TargetScaler
from modelyard.models import EstimatorTraining
from modelyard.models.export import NotConvertible, convert
from modelyard.models.families import baseline, boosting, linear


def fit(settings: object, data: TrainingInput, reports: list | None = None) -> tuple[models.Model, pd.DataFrame]:
    report = ([] if reports is None else reports).append
    return models.fit(settings, EstimatorTraining(seed=7), data, training_context(report=report))


def scaled_by(method: str, data: TrainingInput) -> TrainingInput:
    scaler = scaling.fit(method, data.training.x)
    return TrainingInput(data.description.model_copy(update={"scaling": method, "scaler": scaler}), data.samples)


@pytest.mark.parametrize("method", ["none", "minmax", "standard"])
def test_coefficients_are_those_of_the_line_in_raw_units(method: str, regression_input: TrainingInput) -> None:
    x = regression_input.samples.x * [1.0, 100.0, 0.01] + [0.0, -500.0, 7.0]
    line = Samples(x, x @ np.array([1.0, -2.0, 0.5]) + 3)
    model, _ = fit(
        linear.Settings(family="linear"), scaled_by(method, TrainingInput(regression_input.description, line))
    )
    table = model.coefficients()
    assert list(table.feature) == ["intercept", "feature 1", "feature 2", "feature 3"]
    np.testing.assert_allclose(table.coefficient, [3, 1, -2, 0.5], atol=1e-8)


def test_saved_coefficients_are_those_of_a_plain_least_squares_fit(
    regression_input: TrainingInput, tmp_path: Path
) -> None:
    from sklearn.linear_model import LinearRegression

    model, _ = fit(linear.Settings(family="linear"), scaled_by("standard", regression_input))
    model.save(tmp_path)
    plain = LinearRegression().fit(regression_input.training.x, regression_input.training.y)
    saved = pd.read_csv(tmp_path / "coefficients.csv").coefficient
    np.testing.assert_allclose(saved, [plain.intercept_, *plain.coef_], atol=1e-7)


def test_coefficients_carry_the_names_of_the_features(regression_input: TrainingInput) -> None:
    named = regression_input.description.model_copy(update={"features": ("rooms", "age", "tax")})
    model, _ = fit(linear.Settings(family="linear"), TrainingInput(named, regression_input.samples))
    assert list(model.coefficients().feature) == ["intercept", "rooms", "age", "tax"]


def test_the_training_loss_of_boosting_falls_with_every_tree(regression_input: TrainingInput) -> None:
    reports: list[dict] = []
    _, history = fit(boosting.Settings(family="boosting", n_estimators=15), regression_input, reports)
    assert list(history.columns) == ["epoch", "loss", "mae", "val_loss", "val_mae"]
    assert list(history.epoch) == list(range(1, 16))
    assert (np.diff(history.loss) < 0).all()
    assert reports[-1] == history.iloc[-1].to_dict()


def test_the_history_ends_with_the_metrics_of_the_fitted_model(image_input: TrainingInput) -> None:
    from sklearn.metrics import log_loss

    model, history = fit(boosting.Settings(family="boosting", n_estimators=3), image_input)
    for prefix, rows in (("", image_input.training), ("val_", image_input.validation)):
        expected = log_loss(rows.y, model.predict(rows.x))
        assert history[f"{prefix}loss"].iloc[-1] == pytest.approx(expected, abs=1e-6)


def with_scaled_targets(method: str, data: TrainingInput) -> TrainingInput:
    """Positive targets around 200,000 with a scaling fitted to the training samples."""
    samples = Samples(data.samples.x, np.exp(0.3 * data.samples.y) * 100_000)
    unfitted = data.description.model_copy(update={"target_scaler": TargetScaler(method=method)})
    return TrainingInput(refit(unfitted, samples), samples)


def scikit_learns_own(method: str, estimator: object) -> object:
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    steps = [StandardScaler()] if method == "standard" else [FunctionTransformer(np.log1p, np.expm1), StandardScaler()]
    return TransformedTargetRegressor(estimator, transformer=make_pipeline(*steps))


@pytest.mark.parametrize("method", ["standard", "log"])
def test_scaled_targets_are_learnt_as_by_scikit_learn_and_a_loaded_model_predicts_the_same(
    method: str, regression_input: TrainingInput, tmp_path: Path
) -> None:
    from sklearn.ensemble import GradientBoostingRegressor

    data = with_scaled_targets(method, regression_input)
    model, history = fit(boosting.Settings(family="boosting", n_estimators=15), data)
    plain = GradientBoostingRegressor(n_estimators=15, random_state=7)
    expected = scikit_learns_own(method, plain).fit(data.training.x, data.training.y).predict(data.samples.x)
    np.testing.assert_allclose(model.predict(data.samples.x), expected, rtol=1e-9)
    model.save(tmp_path)
    np.testing.assert_array_equal(models.load(tmp_path).predict(data.samples.x), model.predict(data.samples.x))
    errors = np.abs(expected - data.samples.y)
    assert history.mae.iloc[-1] == pytest.approx(errors[: len(data.training)].mean())
    assert history.val_mae.iloc[-1] == pytest.approx(errors[len(data.training) :].mean())
    assert len(history) == 15
    assert [(layer.name, layer.kind) for layer in model.layers][1] == ("model", "GradientBoostingRegressor")


@pytest.mark.parametrize("method", ["none", "minmax", "standard"])
def test_coefficients_of_scaled_targets_are_those_of_the_targets_own_unit(
    method: str, regression_input: TrainingInput
) -> None:
    data = with_scaled_targets("standard", scaled_by(method, regression_input))
    unscaled = TrainingInput(data.description.model_copy(update={"target_scaler": None}), data.samples)
    scaled, plain = (fit(linear.Settings(family="linear"), each)[0].coefficients() for each in (data, unscaled))
    np.testing.assert_allclose(scaled.coefficient, plain.coefficient, rtol=1e-9)


def test_a_regression_of_logarithms_has_no_coefficients(regression_input: TrainingInput, tmp_path: Path) -> None:
    model, _ = fit(linear.Settings(family="linear"), with_scaled_targets("log", regression_input))
    model.save(tmp_path)
    assert not model.is_linear_regression
    assert {path.name for path in tmp_path.iterdir()} == {"model.skops", "input.json"}


def test_a_model_with_an_untrusted_type_is_refused(regression_input: TrainingInput, tmp_path: Path) -> None:
    import skops.io
    from sklearn.preprocessing import FunctionTransformer

    skops.io.dump(FunctionTransformer(os.system), tmp_path / "model.skops")
    save_description(regression_input.description, tmp_path)
    with pytest.raises(ModelyardError, match=r"model\.skops.*system"):
        models.load(tmp_path)


def test_the_baseline_predicts_the_share_of_each_class(word_input: TrainingInput, tmp_path: Path) -> None:
    rows = Samples(word_input.samples.x, (np.arange(80) % 4 == 0).astype(np.uint8))
    model, history = fit(baseline.Settings(family="baseline"), TrainingInput(word_input.description, rows))
    model.save(tmp_path)
    np.testing.assert_allclose(models.load(tmp_path).predict(rows.x), [[0.75, 0.25]] * 80)
    assert (history.accuracy.tolist(), history.val_accuracy.tolist()) == ([0.75], [0.75])


def test_the_baseline_predicts_the_mean_of_the_training_targets(
    regression_input: TrainingInput, tmp_path: Path
) -> None:
    model, history = fit(baseline.Settings(family="baseline"), regression_input)
    model.save(tmp_path)
    np.testing.assert_allclose(
        models.load(tmp_path).predict(regression_input.samples.x), regression_input.training.y.mean()
    )
    assert history.loss.iloc[0] == pytest.approx(regression_input.training.y.var())


@pytest.mark.parametrize("family", ["baseline", "forest", "histogram_boosting", "logistic", "perceptron"])
def test_a_class_without_training_samples_has_the_probability_0(family: str, image_input: TrainingInput) -> None:
    description = image_input.description.model_copy(update={"classes": ("none", "dark", "bright")})
    samples = Samples(image_input.samples.x, image_input.samples.y + np.uint8(1))
    samples.y[-1] = 0  # of the validation samples
    settings = TypeAdapter(models.ModelSettings).validate_python({"family": family})
    model, _ = fit(settings, TrainingInput(description, samples))
    predicted = model.predict(samples.x)
    assert predicted.shape == (80, 3)
    assert not predicted[:, 0].any()
    np.testing.assert_allclose(predicted.sum(axis=1), 1, atol=1e-6)
    with pytest.raises(NotConvertible, match="a class had no training sample"):
        convert(model)
