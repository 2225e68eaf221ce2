"""Classes: predictions beside truth, and for texts the words as the model reads them."""

from types import SimpleNamespace

import numpy as np
import pytest
import sklearn.metrics

from modelyard import metrics
from modelyard.data.inputs import TrainingInput
from modelyard.experiments.tasks import classification


def judged(data: TrainingInput, probabilities: np.ndarray) -> classification.Judgement:
    return classification.judge(SimpleNamespace(description=data.description), data.validation, probabilities)


@pytest.fixture
def probabilities() -> np.ndarray:
    """Of two classes for sixteen rows."""
    return np.random.default_rng(0).dirichlet([1, 1], 16)


def test_figures_and_table_are_those_of_the_likeliest_class(
    word_input: TrainingInput, probabilities: np.ndarray
) -> None:
    found, truth = judged(word_input, probabilities), word_input.validation.y
    chosen = probabilities.argmax(axis=1)
    assert metrics.values(found.measures)["accuracy"] == sklearn.metrics.accuracy_score(truth, chosen)
    np.testing.assert_array_equal(found.predictions.prediction, chosen)
    np.testing.assert_array_equal(found.predictions.probability, probabilities.max(axis=1))
    rows = {name: figures["rows"] for name, figures in found.details["classes"].items()}
    assert rows == {"without": 8, "with": 8}


def test_texts_are_shown_in_words_without_their_padding(word_input: TrainingInput, probabilities: np.ndarray) -> None:
    pictures = classification.draw(judged(word_input, probabilities), word_input)
    assert pictures.keys() == {"confusion.png", "readings.png"}
    written = " ".join(text.get_text() for axes in pictures["readings.png"].axes for text in axes.texts)
    written = " ".join([written, *(text.get_text() for text in pictures["readings.png"].texts)])
    first = [number for number in word_input.validation.x[0] if number]
    assert " ".join(f"word {number}" for number in first) in " ".join(written.split())
    assert "word 0" not in written
