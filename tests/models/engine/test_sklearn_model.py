"""Scikit-learn models: coefficients in raw units, the history of an ensemble, and untrusted types."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.inputs import training_context

from modelyard import models
from modelyard.core.errors import ModelyardError
from modelyard.data import scaling
from modelyard.data.inputs import TrainingInput, save_description
from modelyard.data.samples import Samples
from modelyard.models import EstimatorTraining
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
