"""Histogram boosting: scikit-learn's, with missing values and categories, in a file that holds no code."""

import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
import skops.io.exceptions
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.preprocessing import FunctionTransformer
from support.inputs import describe, training_context

from modelyard import models
from modelyard.core.errors import ModelyardError
from modelyard.data.columns import Column
from modelyard.data.inputs import TrainingInput, refit
from modelyard.data.preprocessing import Imputation, Preprocessing
from modelyard.data.samples import Samples
from modelyard.models import EstimatorTraining
from modelyard.models.engine.sklearn_model import TRUSTED
from modelyard.models.families import histogram_boosting

SETTINGS = histogram_boosting.Settings(
    family="histogram_boosting", max_iter=12, learning_rate=0.3, max_leaf_nodes=4, l2_regularization=0.5
)
OF_SCIKIT_LEARN: dict[str, Any] = {
    "max_iter": 12,
    "learning_rate": 0.3,
    "max_leaf_nodes": 4,
    "l2_regularization": 0.5,
    "early_stopping": False,
    "random_state": 7,
}


def with_gaps(data: TrainingInput) -> TrainingInput:
    x = np.where(np.random.default_rng(1).random(data.samples.x.shape) < 0.2, np.nan, data.samples.x)
    return TrainingInput(data.description, Samples(x, data.samples.y))


def test_missing_values_are_taken_as_by_scikit_learn_and_every_tree_has_a_row_in_the_history(
    regression_input: TrainingInput, tmp_path: Path
) -> None:
    data = with_gaps(regression_input)
    model, history = models.fit(SETTINGS, EstimatorTraining(seed=7), data, training_context())
    plain = HistGradientBoostingRegressor(**OF_SCIKIT_LEARN).fit(data.training.x, data.training.y)
    model.save(tmp_path)
    np.testing.assert_allclose(models.load(tmp_path).predict(data.samples.x), plain.predict(data.samples.x), rtol=1e-9)
    assert list(history.epoch) == list(range(1, 13))
    errors = [np.abs(each - data.validation.y).mean() for each in plain.staged_predict(data.validation.x)]
    np.testing.assert_allclose(history.val_mae, errors, rtol=1e-9)


def test_three_classes_are_learnt_as_by_scikit_learn(regression_input: TrainingInput) -> None:
    rows = Samples(regression_input.samples.x, np.digitize(regression_input.samples.y, [1, 5]).astype(np.uint8))
    data = TrainingInput(describe(rows, 12, ("low", "middle", "high")), rows)
    model, history = models.fit(SETTINGS, EstimatorTraining(seed=7), data, training_context())
    plain = HistGradientBoostingClassifier(**OF_SCIKIT_LEARN).fit(data.training.x, data.training.y)
    np.testing.assert_allclose(model.predict(rows.x), plain.predict_proba(rows.x), rtol=1e-9)
    assert len(history) == 12


def of_categories(count: int = 300, different: int = 6, min_frequency: int = 1) -> TrainingInput:
    """A column of categories that alternate between high and low targets, before a column of numbers."""
    random = np.random.default_rng(0)
    codes = np.arange(count) % different
    numbers = random.normal(size=count)
    samples = Samples(np.column_stack([codes.astype(np.float64), numbers]), np.where(codes % 2, -5.0, 5.0) + numbers)
    names = tuple(f"kind {number}" for number in range(different))
    columns = (Column(name="kind", kind="category", categories=names), Column(name="size", kind="number"))
    imputation = (Imputation(strategy="refuse"), Imputation(strategy="refuse"))
    preprocessing = Preprocessing(imputation=imputation, min_frequency=min_frequency)
    description = describe(samples, features=("kind", "size"), columns=columns, preprocessing=preprocessing)
    return TrainingInput(refit(description, samples), samples)


ONE_SPLIT = SETTINGS.model_copy(update={"max_iter": 1, "max_leaf_nodes": 2, "learning_rate": 1.0})
NO_CATEGORY = np.array([[-1.0, 0.0], [99.0, 0.0]])  # those that training never saw


def test_categories_are_split_as_sets_and_survive_a_file(tmp_path: Path) -> None:
    data, saved = of_categories(), []
    for name in ("one", "other"):
        model, _ = models.fit(ONE_SPLIT, EstimatorTraining(seed=7), data, training_context())
        (tmp_path / name).mkdir()
        model.save(tmp_path / name)
        saved.append((tmp_path / name / "model.skops").read_bytes())
    assert saved[0] == saved[1]
    found = models.load(tmp_path / "one").predict(data.samples.x)
    assert np.corrcoef(found, data.samples.y)[0, 1] > 0.9  # a split by order leaves both kinds on each side
    np.testing.assert_array_equal(found, model.predict(data.samples.x))
    np.testing.assert_array_equal(models.load(tmp_path / "one").predict(NO_CATEGORY), model.predict(NO_CATEGORY))


def test_categories_are_learnt_as_by_scikit_learn() -> None:
    data = of_categories()
    model, _ = models.fit(SETTINGS, EstimatorTraining(seed=7), data, training_context())
    options = OF_SCIKIT_LEARN | {"categorical_features": [0]}
    plain = HistGradientBoostingRegressor(**options).fit(data.samples.x, data.samples.y)
    np.testing.assert_allclose(model.predict(data.samples.x), plain.predict(data.samples.x), rtol=1e-6)


def test_more_categories_than_a_byte_counts_are_refused_unless_rare_ones_are_put_together() -> None:
    with pytest.raises(ModelyardError, match=r"column 'kind' has 256 categories .* takes 255.*larger `min_frequency`"):
        models.fit(SETTINGS, EstimatorTraining(seed=7), of_categories(600, 256), training_context())
    models.fit(SETTINGS, EstimatorTraining(seed=7), of_categories(600, 256, min_frequency=3), training_context())


@pytest.mark.parametrize("function", [os.system, eval, exec, np.load, np.frompyfunc, skops.io.load])
def test_a_partial_of_a_function_that_could_run_code_is_refused(function: Any, tmp_path: Path) -> None:
    skops.io.dump(FunctionTransformer(partial(function, "true")), tmp_path / "model.skops")
    with pytest.raises(skops.io.exceptions.UntrustedTypesFoundException):
        skops.io.load(tmp_path / "model.skops", trusted=TRUSTED)
