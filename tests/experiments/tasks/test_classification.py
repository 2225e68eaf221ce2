"""Classification: predicted beside true classes, metrics of each class, texts shown in words."""

from types import SimpleNamespace

import numpy as np
import pytest
import sklearn.metrics

from modelyard import metrics
from modelyard.data.inputs import TrainingInput
from modelyard.experiments.tasks import ScoredPredictions, classification


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


def test_texts_are_shown_in_words_without_their_padding(word_input: TrainingInput, probabilities: np.ndarray) -> None:
    plots = classification.plot(score(word_input, probabilities), word_input)
    assert plots.keys() == {"confusion.png", "readings.png"}
    written = " ".join(text.get_text() for axes in plots["readings.png"].axes for text in axes.texts)
    written = " ".join([written, *(text.get_text() for text in plots["readings.png"].texts)])
    first = [number for number in word_input.validation.x[0] if number]
    assert " ".join(f"word {number}" for number in first) in " ".join(written.split())
    assert "word 0" not in written
