"""Reconstruction: errors in scaled units equal scikit-learn's; only images are plotted."""

from pathlib import Path

import numpy as np
import pytest
import sklearn.metrics
from support.inputs import training_context

from modelyard import metrics, models
from modelyard.data.inputs import TrainingInput
from modelyard.experiments.tasks import ScoredPredictions, reconstruction
from modelyard.models import Model, NetworkTraining
from modelyard.models.families import autoencoder


def fit_autoencoder(data: TrainingInput, folder: Path, codes: int = 4) -> Model:
    training = NetworkTraining(seed=7, epochs=2, batch_size=16, loss="mse")
    return models.fit(
        autoencoder.Settings(family="autoencoder", latent_dim=codes), training, data, training_context(folder)
    )[0]


@pytest.fixture(scope="module")
def scored(image_input: TrainingInput, tmp_path_factory: pytest.TempPathFactory) -> ScoredPredictions:
    model, test = fit_autoencoder(image_input, tmp_path_factory.mktemp("autoencoder")), image_input.validation
    return reconstruction.score(model, test, model.predict(test.x))


def test_metrics_equal_scikit_learns_on_scaled_samples(scored: ScoredPredictions) -> None:
    scaled, restored = scored.test.x.reshape(16, -1) / 255, scored.outputs.reshape(16, -1)
    assert metrics.values(scored.bound_metrics) == pytest.approx(
        {
            "mse": sklearn.metrics.mean_squared_error(scaled, restored),
            "mae": sklearn.metrics.mean_absolute_error(scaled, restored),
            "r2": sklearn.metrics.r2_score(scaled, restored, multioutput="variance_weighted"),
        },
        rel=1e-5,
    )
    assert len(scored.predictions) == 16


def test_scaling_in_chunks_changes_nothing(scored: ScoredPredictions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconstruction, "CHUNK", 5)
    again = reconstruction.score(scored.model, scored.test, scored.outputs)
    np.testing.assert_array_equal(again.predictions, scored.predictions)


def test_images_are_plotted_over_their_reconstructions_and_generated_from_codes(
    scored: ScoredPredictions, image_input: TrainingInput
) -> None:
    plots = reconstruction.plot(scored, image_input)
    assert plots.keys() == {"reconstructions.png", "made_up.png"}
    shown = [axes.images[0].get_array() for axes in plots["reconstructions.png"].axes if axes.images]
    assert len(shown) == 2 * reconstruction.SHOWN
    assert np.corrcoef(np.ravel(shown[0]), scored.test.x[0].ravel())[0, 1] == pytest.approx(1)


@pytest.mark.parametrize("codes", [1, 3])
def test_images_are_generated_from_constant_codes_too(codes: int, image_input: TrainingInput, tmp_path: Path) -> None:
    """A dead relu outputs 0 for every sample."""
    model, test = fit_autoencoder(image_input, tmp_path, codes), image_input.validation
    kernel, _, *decoder = model.native.get_weights()
    model.native.set_weights([kernel, np.full(codes, -1e3), *decoder])
    scored = reconstruction.score(model, test, model.predict(test.x))
    assert reconstruction.plot(scored, image_input).keys() == {"reconstructions.png", "made_up.png"}


def test_generated_images_are_the_same_each_time(scored: ScoredPredictions, image_input: TrainingInput) -> None:
    one, other = (
        reconstruction.plot(scored, image_input)["made_up.png"].axes[0].images[0].get_array() for _ in range(2)
    )
    np.testing.assert_array_equal(one, other)
    assert np.ptp(one) > 0.1


def test_samples_that_are_not_images_have_no_plots(regression_input: TrainingInput, tmp_path: Path) -> None:
    model, test = fit_autoencoder(regression_input, tmp_path), regression_input.validation
    scored = reconstruction.score(model, test, model.predict(test.x))
    assert reconstruction.plot(scored, regression_input) == {}
    assert metrics.values(scored.bound_metrics)["mse"] > 0
