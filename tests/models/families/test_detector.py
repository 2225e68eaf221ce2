"""The detector: its output, that it learns, that a saved one is plain Keras, and inputs that are refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelyard import metrics
from modelyard.core.errors import ModelyardError
from modelyard.models.engine import box_coding
from modelyard.models.engine.tasks import Output
from modelyard.models.families import detector

pytestmark = pytest.mark.usefixtures("default_runtime")

SHAPE, CELLS, CLASSES = (64, 48, 1), (8, 6), 4
SETTINGS = detector.Settings(family="detector", filters=(4, 4, 4), head_filters=(6,))


def network(shape: tuple[int, ...] = SHAPE, settings: detector.Settings = SETTINGS) -> Any:
    import keras

    keras.utils.set_random_seed(0)
    scaled = keras.Input(shape)
    return keras.Model(scaled, detector.build(scaled, Output(5 + CLASSES, "detection"), settings))


def test_each_cell_has_values_from_0_to_1_and_class_probabilities():
    cells = network().predict(np.random.default_rng(0).random((2, *SHAPE)), verbose=0)
    assert (cells.shape, cells.dtype) == ((2, *CELLS, 5 + CLASSES), np.float32)
    assert cells.min() >= 0
    assert cells.max() <= 1
    np.testing.assert_allclose(cells[..., 5:].sum(axis=-1), 1, atol=1e-5)


def bright_squares(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images with one bright or one dark square, which are two classes, and their boxes."""
    random = np.random.default_rng(0)
    images = np.full((count, 16, 16, 1), 0.5, dtype=np.float32)
    boxes = np.zeros((count, 1, 5), dtype=np.float32)
    for number, (image, box) in enumerate(zip(images, boxes, strict=True)):
        left, top = random.integers(0, 12, size=2)
        image[top : top + 4, left : left + 4] = number % 2
        box[0] = number % 2, left, top, left + 4, top + 4
    return images, boxes


def test_a_detector_learns_to_find_squares():
    import keras

    keras.utils.set_random_seed(0)
    images, boxes = bright_squares(400)
    settings = detector.Settings(family="detector", filters=(12, 24), head_filters=(24,))
    scaled = keras.Input((16, 16, 1))
    model = keras.Model(scaled, detector.build(scaled, Output(7, "detection"), settings))
    model.compile(keras.optimizers.Adam(0.01), loss=box_coding.loss)
    targets = box_coding.encode(boxes, (16, 16), classes=2, cells=model.output_shape[1:3])
    model.fit(images[:300], targets[:300], epochs=25, batch_size=20, verbose=0)
    found = box_coding.decode(model.predict(images[300:], verbose=0), (16, 16))
    assert metrics.bound_detection_metrics(boxes[300:], found)["mean_average_precision"].value > 0.9


def test_a_saved_detector_needs_nothing_but_keras(tmp_path: Path):
    import keras

    model, images = network(), np.random.default_rng(0).random((2, *SHAPE))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    assert {type(layer).__module__.partition(".")[0] for layer in loaded.layers} == {"keras"}
    np.testing.assert_array_equal(loaded.predict(images, verbose=0), model.predict(images, verbose=0))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((13,), r"detector needs images \(height, width, channels\); this input has samples of shape \(13,\)"),
        ((64, 60, 1), r"filters \[4, 4, 4\] halve the images 3 times, and 64 x 60 pixels are not divisible by 8"),
    ],
    ids=["not an image", "not a whole number of cells"],
)
def test_images_that_cannot_be_divided_into_cells_are_refused(shape: tuple[int, ...], message: str):
    with pytest.raises(ModelyardError, match=message):
        network(shape)
