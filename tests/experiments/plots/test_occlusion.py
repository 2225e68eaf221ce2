"""Occlusion finds the part of an image that decides, and draws it over the image."""

import numpy as np
import pytest

from modelyard.experiments import plots

CLASSES = ("dark corner", "bright corner")


def corner(images: np.ndarray) -> np.ndarray:
    """Probabilities (n, 2) that follow from the brightness of the upper left quarter alone."""
    _, height, width, _ = images.shape
    brightness = images[:, : height // 2, : width // 2].mean(axis=(1, 2, 3)) / 255
    second = 1 / (1 + np.exp(-20 * (brightness - 0.3)))
    return np.stack([1 - second, second], axis=1).astype(np.float32)


def image(height: int = 16, width: int = 20, channels: int = 1) -> np.ndarray:
    pixels = np.zeros((height, width, channels), dtype=np.uint8)
    pixels[: height // 2, : width // 2] = 200
    pixels[-2:, -2:] = 255
    return pixels


@pytest.mark.parametrize("size", [(16, 20, 1), (32, 32, 3), (7, 9, 1), (4, 5, 1)])
def test_only_the_part_that_decides_has_evidence(size: tuple[int, int, int]) -> None:
    found = plots.occlude(corner, image(*size), truth=1, prediction=1)
    height, width, _ = size
    assert (found.prediction, found.truth, found.evidence.shape) == (1, 1, size[:2])
    assert found.evidence[0, 0] > 0
    beyond = found.evidence.copy()
    patch = (max(1, height // 4), max(1, width // 4))
    beyond[: height // 2 + patch[0], : width // 2 + patch[1]] = 0
    np.testing.assert_array_equal(beyond, 0)


def test_what_speaks_against_the_predicted_class_is_negative() -> None:
    """The corner is dark but for one bright spot."""
    pixels = np.zeros((16, 16, 1), dtype=np.uint8)
    pixels[4:8, 4:8] = 200
    found = plots.occlude(corner, pixels, truth=0, prediction=0)
    assert found.evidence[4:8, 4:8].max() < 0
    assert found.evidence.argmin() in [row * 16 + column for row in range(4, 8) for column in range(4, 8)]


def test_the_evidence_is_the_change_of_the_log_odds() -> None:
    """Of a single pixel that is a patch of its own, and so covered once."""
    pixels = np.zeros((4, 4, 1), dtype=np.uint8)
    pixels[0, 0] = 255
    before, after = (corner(each[np.newaxis])[0].astype(float) for each in (pixels, np.zeros_like(pixels)))
    prediction = int(before.argmax())

    def odds(probabilities: np.ndarray) -> float:
        return np.log(probabilities[prediction] / probabilities[1 - prediction])

    found = plots.occlude(corner, pixels, 0, prediction)
    assert found.evidence[0, 0] == pytest.approx(odds(before) - odds(after), rel=1e-4)


def test_probabilities_of_zero_are_no_infinite_evidence() -> None:
    found = plots.occlude(lambda images: np.eye(3)[(images[:, 0, 0, 0] > 0).astype(int)], image(), 2, 1)
    assert np.isfinite(found.evidence).all()
    assert found.evidence[0, 0] > 10


def test_each_image_is_drawn_under_its_map_with_its_classes_and_gaps_are_empty() -> None:
    right, wrong = (plots.occlude(corner, image(), truth, 1) for truth in (1, 0))
    figure = plots.occlusions([[right, None], [wrong, wrong]], CLASSES, 255)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["bright corner", "", "dark corner/bright corner", "dark corner/bright corner"]
    assert [len(axes.images) for axes in figure.axes] == [2, 0, 2, 2]
    picture, heat = figure.axes[0].images
    np.testing.assert_allclose(picture.get_array(), right.image[..., 0] / 255)
    assert np.abs(heat.get_array()).max() == 1
