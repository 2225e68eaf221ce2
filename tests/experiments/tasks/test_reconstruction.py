"""Restored rows: errors in scaled units as scikit-learn has them, and pictures of images alone."""

from pathlib import Path

import numpy as np
import pytest
import sklearn.metrics
from support.inputs import training_context

from modelyard import metrics, models
from modelyard.data.inputs import TrainingInput
from modelyard.experiments.tasks import reconstruction
from modelyard.experiments.tasks.judgement import Judgement
from modelyard.models import Model, NetworkTraining
from modelyard.models.families import autoencoder


def restore(data: TrainingInput, folder: Path, codes: int = 4) -> Model:
    training = NetworkTraining(seed=7, epochs=2, batch_size=16, loss="mse")
    return models.fit(
        autoencoder.Settings(family="autoencoder", codes=codes), training, data, training_context(folder)
    )[0]


@pytest.fixture
def judged(image_input: TrainingInput, tmp_path: Path) -> Judgement:
    model, test = restore(image_input, tmp_path), image_input.validation
    return reconstruction.judge(model, test, model.predict(test.x))


def test_figures_are_scikit_learns_on_scaled_rows(judged: Judgement) -> None:
    scaled, restored = judged.test.x.reshape(16, -1) / 255, judged.outputs.reshape(16, -1)
    assert metrics.values(judged.measures) == pytest.approx(
        {
            "mse": sklearn.metrics.mean_squared_error(scaled, restored),
            "mae": sklearn.metrics.mean_absolute_error(scaled, restored),
            "r2": sklearn.metrics.r2_score(scaled, restored, multioutput="variance_weighted"),
        },
        rel=1e-5,
    )
    assert len(judged.predictions) == 16


def test_rows_are_scaled_a_few_at_a_time_which_changes_nothing(
    judged: Judgement, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconstruction, "CHUNK", 5)
    again = reconstruction.judge(judged.model, judged.test, judged.outputs)
    np.testing.assert_array_equal(again.predictions, judged.predictions)


def test_images_are_drawn_over_their_reconstructions_and_made_up_from_codes(
    judged: Judgement, image_input: TrainingInput
) -> None:
    pictures = reconstruction.draw(judged, image_input)
    assert pictures.keys() == {"reconstructions.png", "made_up.png"}
    shown = [axes.images[0].get_array() for axes in pictures["reconstructions.png"].axes if axes.images]
    assert len(shown) == 2 * reconstruction.SHOWN
    assert np.corrcoef(np.ravel(shown[0]), judged.test.x[0].ravel())[0, 1] == pytest.approx(1)


@pytest.mark.parametrize("codes", [1, 3])
def test_codes_that_are_the_same_for_every_row_make_images_up_too(
    codes: int, image_input: TrainingInput, tmp_path: Path
) -> None:
    """A relu that never opens gives 0 for every row."""
    model, test = restore(image_input, tmp_path, codes), image_input.validation
    kernel, _, *decoder = model.native.get_weights()
    model.native.set_weights([kernel, np.full(codes, -1e3), *decoder])
    judged = reconstruction.judge(model, test, model.predict(test.x))
    assert reconstruction.draw(judged, image_input).keys() == {"reconstructions.png", "made_up.png"}


def test_made_up_images_are_the_same_each_time(judged: Judgement, image_input: TrainingInput) -> None:
    one, other = (
        reconstruction.draw(judged, image_input)["made_up.png"].axes[0].images[0].get_array() for _ in range(2)
    )
    np.testing.assert_array_equal(one, other)
    assert np.ptp(one) > 0.1


def test_rows_that_are_no_images_have_no_pictures(regression_input: TrainingInput, tmp_path: Path) -> None:
    model, test = restore(regression_input, tmp_path), regression_input.validation
    judged = reconstruction.judge(model, test, model.predict(test.x))
    assert reconstruction.draw(judged, regression_input) == {}
    assert metrics.values(judged.measures)["mse"] > 0
