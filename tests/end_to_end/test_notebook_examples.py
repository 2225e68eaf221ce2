"""The worked examples of notebook 004, with the numbers that it prints."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax
from support.inputs import describe, training_context

from modelyard import metrics, models
from modelyard.data.inputs import TrainingInput
from modelyard.data.samples import Samples
from modelyard.models import Model, NetworkTraining
from modelyard.models.families import mlp

X = np.array([0.6, 0.9])
W = np.array([[0.4, 0.7, 0.9], [0.2, 0.3, 0.1]])
Y = np.array([0.28219551, 0.36966608, 0.34813841])
DELTA = 1e-7  # added by the notebook to avoid the logarithm of 0
TRUTH = np.array([0, 0, 1])


def fit_one_sample(x: np.ndarray, label: int, classes: tuple[str, ...], units: tuple, folder: Path, **changes: Any):
    """Our mlp on a single sample, trained as in the notebook."""
    sample = Samples(x[np.newaxis], np.array([label]))
    values = {"seed": 777, "epochs": 30, "loss": "categorical_crossentropy"} | changes
    settings = mlp.Settings(family="mlp", units=units)
    data = TrainingInput(describe(sample, classes=classes), sample)
    return models.fit(settings, NetworkTraining(**values), data, training_context(folder))


@pytest.fixture(scope="module")
def single_layer(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """The notebook's Dense(3) with softmax and the weights W."""
    model, _ = fit_one_sample(X, 2, ("0", "1", "2"), (), tmp_path_factory.mktemp("model"), epochs=1)
    model.native.set_weights([W, np.zeros(3)])
    return model


def test_the_matrix_product_equals_the_notebooks() -> None:
    np.testing.assert_allclose(X @ W, [0.42, 0.69, 0.63], rtol=1e-15)


def test_a_network_without_hidden_layers_predicts_the_notebooks_softmax(single_layer: Model) -> None:
    np.testing.assert_allclose(softmax(X @ W), Y, atol=5e-9)
    np.testing.assert_allclose(single_layer.predict(X[np.newaxis])[0], Y, atol=1e-7)


def test_the_cross_entropy_equals_the_notebooks_up_to_its_delta(single_layer: Model) -> None:
    """The notebook adds delta to each probability; Keras and our metric clip at it: the loss differs by delta / p."""
    probabilities = softmax(X @ W)
    assert -np.sum(TRUTH * np.log(probabilities + DELTA)) == pytest.approx(1.0551548687114343, rel=1e-15)
    ours = metrics.cross_entropy(probabilities[TRUTH == 1])
    np.testing.assert_allclose(ours - 1.0551548687114343, DELTA / Y[2], rtol=1e-2)
    columns = metrics.columns("classification", np.array([2]), single_layer.predict(X[np.newaxis]))
    values = metrics.values(metrics.bound_metrics("classification", columns))
    assert values["loss"] == pytest.approx(1.0551548687114343, abs=1e-6)


@pytest.mark.parametrize(
    "prediction, half_sum",
    [
        ([0.1, 0.05, 0.6, 0, 0.05, 0.1, 0, 0, 0, 0], 0.0925),
        ([0.1, 0.05, 0, 0, 0.05, 0.1, 0, 0.6, 0, 0], 0.6925),
    ],
)
def test_the_squared_error_is_half_a_sum_in_the_notebook_and_a_mean_here(prediction: list, half_sum: float) -> None:
    prediction, truth = np.array(prediction), np.eye(10)[2]
    assert 0.5 * np.sum(np.square(prediction - truth)) == pytest.approx(half_sum, rel=1e-14)
    assert metrics.mean_squared_error(truth, prediction) == pytest.approx(2 * half_sum / 10, rel=1e-14)


def test_a_single_layer_fits_one_sample(tmp_path: Path) -> None:
    model, history = fit_one_sample(X, 2, ("0", "1", "2"), (), tmp_path)
    assert model.native.count_params() == 2 * 3 + 3
    assert len(history) == 30
    assert (np.diff(history.loss) < 0).all()


def test_two_hidden_layers_of_three_units_fit_one_sample(tmp_path: Path) -> None:
    x = np.array([0.7, 0.2])
    model, history = fit_one_sample(x, 1, ("0", "1"), (3, 3), tmp_path)
    assert [layer.units for layer in model.native.layers if hasattr(layer, "units")] == [3, 3, 2]
    assert len(history) == 30
    assert history.loss.iloc[-1] < history.loss.iloc[0]
    assert history.accuracy.iloc[-1] == 1.0
    assert model.predict(x[np.newaxis])[0].argmax() == 1
