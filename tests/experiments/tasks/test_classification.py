"""Classification: predicted beside true classes, metrics of each class, texts shown in words."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import sklearn.metrics

from modelyard import metrics
from modelyard.data.decision_threshold import DecisionThreshold
from modelyard.data.inputs import TrainingInput
from modelyard.experiments.tasks import PredictedSamples, ScoredPredictions, classification


def score(data: TrainingInput, probabilities: np.ndarray) -> ScoredPredictions:
    return classification.score(SimpleNamespace(description=data.description), data.validation, probabilities)


@pytest.fixture
def probabilities() -> np.ndarray:
    """Probabilities of two classes for sixteen samples."""
    return np.random.default_rng(0).dirichlet([1, 1], 16)


def test_metrics_and_table_are_those_of_the_likeliest_class(
    word_input: TrainingInput, probabilities: np.ndarray
) -> None:
    scored, truth = score(word_input, probabilities), word_input.validation.y
    chosen = probabilities.argmax(axis=1)
    assert metrics.values(scored.bound_metrics)["accuracy"] == sklearn.metrics.accuracy_score(truth, chosen)
    np.testing.assert_array_equal(scored.predictions.prediction, chosen)
    np.testing.assert_array_equal(scored.predictions.probability, probabilities.max(axis=1))
    rows = {name: values["rows"] for name, values in scored.details["classes"].items()}
    assert rows == {"without": 8, "with": 8}


def with_threshold(data: TrainingInput, value: float) -> TrainingInput:
    threshold = DecisionThreshold(value=value, goal="f1", validation_samples=9, validation=0.8, validation_at_half=0.7)
    return replace(data, description=data.description.model_copy(update={"threshold": threshold}))


def test_a_threshold_decides_predictions_and_all_metrics_of_them(
    word_input: TrainingInput, probabilities: np.ndarray
) -> None:
    scored, truth = score(with_threshold(word_input, 0.2), probabilities), word_input.validation.y
    chosen = (probabilities[:, 1] >= 0.2).astype(int)
    assert (chosen != probabilities.argmax(axis=1)).any()
    np.testing.assert_array_equal(scored.predictions.prediction, chosen)
    np.testing.assert_array_equal(scored.predictions.probability, probabilities[np.arange(16), chosen])
    values = metrics.values(scored.bound_metrics)
    assert values["balanced_accuracy"] == sklearn.metrics.balanced_accuracy_score(truth, chosen)
    assert values["roc_auc"] == metrics.values(score(word_input, probabilities).bound_metrics)["roc_auc"]
    f1 = sklearn.metrics.f1_score(truth, chosen)
    assert scored.details["classes"]["with"]["f1"] == scored.details["threshold"]["test"] == pytest.approx(f1)
    at_half = sklearn.metrics.f1_score(truth, probabilities.argmax(axis=1))
    assert scored.details["threshold"]["test_at_half"] == pytest.approx(at_half)


def test_predictions_are_shown_by_the_threshold(word_input: TrainingInput) -> None:
    outputs = np.array([[0.7, 0.3], [0.9, 0.1]])
    for value, classes, shown in ((0.2, ["with", "without"], [0.3, 0.9]), (0.5, ["without"] * 2, [0.7, 0.9])):
        description = with_threshold(word_input, value).description
        table = classification.prediction_table(PredictedSamples(word_input.samples.x[:2], outputs, description))
        assert (table["class"].tolist(), table.probability.tolist()) == (classes, shown)


def test_the_positive_class_of_two_is_the_second(word_input: TrainingInput, probabilities: np.ndarray) -> None:
    scored = score(word_input, probabilities)
    assert scored.details["positive_class"] == "with"
    assert "threshold" not in scored.details
    assert list(scored.predictions) == ["truth", "prediction", "probability", "loss"]


def test_calibration_shows_the_positive_class_of_two_and_else_the_predicted_one(
    word_input: TrainingInput, probabilities: np.ndarray
) -> None:
    two = classification.plot(score(word_input, probabilities), word_input)["calibration.png"]
    assert two.axes[1].get_xlabel() == "probability of class with"
    three = replace(word_input, description=word_input.description.model_copy(update={"classes": ("a", "b", "c")}))
    plotted = classification.plot(score(three, np.random.default_rng(0).dirichlet([1, 1, 1], 16)), three)
    assert plotted["calibration.png"].axes[1].get_xlabel() == "probability of the predicted class"


def test_texts_are_shown_in_words_without_their_padding(word_input: TrainingInput, probabilities: np.ndarray) -> None:
    plots = classification.plot(score(word_input, probabilities), word_input)
    assert plots.keys() == {"calibration.png", "confusion.png", "readings.png"}
    written = " ".join(text.get_text() for axes in plots["readings.png"].axes for text in axes.texts)
    written = " ".join([written, *(text.get_text() for text in plots["readings.png"].texts)])
    first = [number for number in word_input.validation.x[0] if number]
    assert " ".join(f"word {number}" for number in first) in " ".join(written.split())
    assert "word 0" not in written
