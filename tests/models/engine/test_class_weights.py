"""Weights of classes: scikit-learn's rule, in every kind of classifier, and in training alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, recall_score
from sklearn.utils.class_weight import compute_sample_weight
from support.inputs import describe, training_context

from modelyard import models
from modelyard.core.config import Settings
from modelyard.core.errors import ModelyardError
from modelyard.data.inputs import TrainingInput
from modelyard.data.samples import Samples
from modelyard.models import EstimatorTraining, NetworkTraining
from modelyard.models.engine.class_weights import class_weights, sample_weights
from modelyard.models.families import baseline, boosting, forest, histogram_boosting, linear, logistic, mlp

BALANCED = EstimatorTraining(seed=7, class_weights="balanced")
UNWEIGHTED = EstimatorTraining(seed=7)


def of_classes(labels: list[int], classes: int = 4) -> TrainingInput:
    samples = Samples(np.zeros((len(labels), 1)), np.array(labels, dtype=np.uint8))
    return TrainingInput(describe(samples, classes=tuple(map(str, range(classes)))), samples)


@pytest.fixture
def imbalanced() -> TrainingInput:
    """800 samples, one in fifteen of a rare class that overlaps with the other; half of them for validation."""
    random = np.random.default_rng(0)
    y = (np.arange(800) % 15 == 0).astype(np.uint8)
    x = random.normal(size=(800, 2)) + 1.2 * y[:, np.newaxis]
    samples = Samples(x, y)
    return TrainingInput(describe(samples, 400, ("usual", "rare")), samples)


def network(**changes: Any) -> NetworkTraining:
    values = {"seed": 7, "epochs": 30, "batch_size": 40, "learning_rate": 0.01, "loss": "binary_crossentropy"}
    return NetworkTraining(**(values | changes))


def fit(settings: Settings, training: Any, data: TrainingInput) -> tuple[models.Model, Any]:
    return models.fit(settings, training, data, training_context())


def recall(model: models.Model, data: TrainingInput) -> float:
    validation = data.validation
    return recall_score(validation.y, model.predict(validation.x).argmax(axis=1))


@given(some.lists(some.integers(0, 3), min_size=1, max_size=60))
def test_each_class_counts_the_same_in_all_by_the_rule_of_scikit_learn(labels: list[int]) -> None:
    data, y = of_classes(labels), np.array(labels)
    weights = sample_weights(BALANCED, data)
    assert weights is not None
    np.testing.assert_allclose(weights, compute_sample_weight("balanced", y))
    np.testing.assert_allclose([weights[y == label].sum() for label in np.unique(y)], len(y) / len(np.unique(y)))
    of_class = class_weights(BALANCED, data)
    assert of_class is not None
    assert list(of_class) == [0, 1, 2, 3]
    assert all(of_class[label] == 1.0 for label in {0, 1, 2, 3} - set(labels))


def test_validation_samples_are_not_counted(imbalanced: TrainingInput) -> None:
    changed = imbalanced.samples.y.copy()
    changed[400:] = 1
    data = TrainingInput(imbalanced.description, Samples(imbalanced.samples.x, changed))
    assert class_weights(BALANCED, data) == class_weights(BALANCED, imbalanced)


def test_without_them_there_are_no_weights_and_no_trace_in_the_settings(imbalanced: TrainingInput) -> None:
    assert class_weights(UNWEIGHTED, imbalanced) is None
    assert sample_weights(UNWEIGHTED, imbalanced) is None
    assert UNWEIGHTED.model_dump() == {"seed": 7}
    assert "class_weights" not in network().model_dump()
    assert BALANCED.model_dump() == {"seed": 7, "class_weights": "balanced"}


def test_weights_for_values_are_refused_wherever_they_come_from(regression_input: TrainingInput) -> None:
    for settings, training in (
        (linear.Settings(family="linear"), BALANCED),
        (mlp.Settings(family="mlp", units=()), network(loss="mse", class_weights="balanced")),
    ):
        with pytest.raises(ModelyardError, match="`class_weights` is for a classification, and this is a regression"):
            fit(settings, training, regression_input)


ESTIMATORS = {
    "logistic": (
        logistic.Settings(family="logistic"),
        LogisticRegression(class_weight="balanced", max_iter=1000),
        False,
    ),
    "linear": (linear.Settings(family="linear"), LogisticRegression(class_weight="balanced", max_iter=1000), False),
    "forest": (
        forest.Settings(family="forest", n_estimators=20, max_depth=3),
        RandomForestClassifier(n_estimators=20, max_depth=3, random_state=7, class_weight="balanced"),
        False,
    ),
    "histogram boosting": (
        histogram_boosting.Settings(family="histogram_boosting", max_iter=20),
        HistGradientBoostingClassifier(max_iter=20, early_stopping=False, random_state=7, class_weight="balanced"),
        False,
    ),
    "boosting": (
        boosting.Settings(family="boosting", n_estimators=20),
        GradientBoostingClassifier(n_estimators=20, random_state=7),
        True,
    ),
}


@pytest.mark.parametrize("settings, plain, by_sample", ESTIMATORS.values(), ids=ESTIMATORS)
def test_an_estimator_finds_more_of_the_rare_class_just_as_scikit_learns_balanced_one(
    settings: Settings, plain: Any, by_sample: bool, imbalanced: TrainingInput
) -> None:
    (balanced, history), (unweighted, _) = (fit(settings, each, imbalanced) for each in (BALANCED, UNWEIGHTED))
    training, x = imbalanced.training, imbalanced.samples.x
    options = {"sample_weight": compute_sample_weight("balanced", training.y)} if by_sample else {}
    plain.fit(training.x, training.y, **options)
    np.testing.assert_allclose(balanced.predict(x), plain.predict_proba(x), atol=1e-6)
    assert recall(balanced, imbalanced) > recall(unweighted, imbalanced) + 0.1
    expected = log_loss(imbalanced.validation.y, plain.predict_proba(imbalanced.validation.x))
    assert history.val_loss.iloc[-1] == pytest.approx(expected, rel=1e-5)


def test_the_baseline_of_balanced_classes_knows_no_class_from_another(imbalanced: TrainingInput) -> None:
    model, _ = fit(baseline.Settings(family="baseline"), BALANCED, imbalanced)
    np.testing.assert_allclose(model.predict(imbalanced.samples.x), 0.5)


ONE_NEURON = mlp.Settings(family="mlp", units=())


def test_a_network_finds_more_of_the_rare_class_and_comes_to_scikit_learns_balanced_regression(
    imbalanced: TrainingInput,
) -> None:
    balanced, unweighted = (
        fit(ONE_NEURON, network(class_weights=each, epochs=60, learning_rate=0.05), imbalanced)[0]
        for each in ("balanced", "none")
    )
    assert recall(balanced, imbalanced) > recall(unweighted, imbalanced) + 0.1
    plain = LogisticRegression(C=1e6, class_weight="balanced").fit(imbalanced.training.x, imbalanced.training.y)
    x = imbalanced.validation.x
    np.testing.assert_allclose(balanced.predict(x), plain.predict_proba(x), atol=0.05)


@pytest.mark.parametrize("loss", ["binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy"])
def test_the_training_loss_of_a_network_is_weighted_and_the_validation_loss_is_not(
    loss: str, imbalanced: TrainingInput
) -> None:
    still = network(loss=loss, epochs=1, optimizer="sgd", learning_rate=1e-9, class_weights="balanced")
    model, history = fit(ONE_NEURON, still, imbalanced)
    training, validation = imbalanced.training, imbalanced.validation
    weights = compute_sample_weight("balanced", training.y)
    weighted = log_loss(training.y, model.predict(training.x), sample_weight=weights)
    assert history.loss[0] == pytest.approx(weighted, rel=1e-4)
    assert history.val_loss[0] == pytest.approx(log_loss(validation.y, model.predict(validation.x)), rel=1e-4)
    accuracy = (model.predict(training.x).argmax(axis=1) == training.y).mean()
    assert history.accuracy[0] == pytest.approx(accuracy)


def test_a_checkpoint_and_early_stopping_follow_the_unweighted_validation_loss(
    imbalanced: TrainingInput, tmp_path: Path
) -> None:
    training = network(class_weights="balanced", epochs=3, checkpoint="val_loss")
    model, history = models.fit(ONE_NEURON, training, imbalanced, training_context(tmp_path))
    model.native.load_weights(tmp_path / "best.weights.h5")
    validation = imbalanced.validation
    assert log_loss(validation.y, model.predict(validation.x)) == pytest.approx(history.val_loss.min(), rel=1e-4)
