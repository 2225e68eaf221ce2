"""Images: titles, colours, and every pixel where it belongs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex

from modelyard.experiments import plots

CLASSES = ("shirt", "boot", "bag")
IMAGES = np.random.default_rng(0).integers(0, 256, size=(20, 6, 6, 1), dtype=np.uint8)
COLOURED = np.random.default_rng(1).integers(0, 256, size=(20, 6, 6, 3), dtype=np.uint8)


def test_a_right_image_is_titled_in_black_and_a_wrong_one_in_red_with_the_truth_first() -> None:
    truth, prediction = np.array([0, 1, 2]), np.array([0, 2, 2])
    grid = plots.prediction_grid(IMAGES[:3], truth, prediction, CLASSES)
    titles = [(axes.get_title(), to_hex(axes.title.get_color())) for axes in grid.axes if axes.images]
    assert titles == [("shirt", "#000000"), ("boot/bag", "#c00000"), ("bag", "#000000")]


def test_a_grid_shows_no_more_than_sixteen_images() -> None:
    grid = plots.prediction_grid(IMAGES, np.zeros(20, int), np.zeros(20, int), CLASSES)
    shown = [axes.images[0].get_array() for axes in grid.axes]
    np.testing.assert_array_equal(shown, IMAGES[:16].squeeze())


@pytest.mark.parametrize(("count", "rows"), [(0, 1), (1, 1), (4, 1), (5, 2), (16, 4), (20, 4)])
def test_a_grid_is_as_high_as_its_images_need(count: int, rows: int) -> None:
    grid = plots.prediction_grid(IMAGES[:count], np.zeros(count, int), np.zeros(count, int), CLASSES)
    assert len(grid.axes) == 4 * rows
    assert grid.get_figheight() == pytest.approx(8.6 * rows / 4)


def test_a_grid_shows_colours_as_they_are() -> None:
    grid = plots.prediction_grid(COLOURED[:2], np.zeros(2, int), np.zeros(2, int), CLASSES)
    np.testing.assert_array_equal([axes.images[0].get_array() for axes in grid.axes[:2]], COLOURED[:2])


@pytest.mark.parametrize("images", [IMAGES, COLOURED], ids=["grey", "colour"])
def test_ten_originals_are_drawn_over_their_reconstructions(images: np.ndarray) -> None:
    axes = plots.reconstructions(images, images // 2).axes
    shown = np.array([place.images[0].get_array() for place in axes])
    low, high = int(images.min()), int(images.max())
    expected = np.clip((np.concatenate([images[:10], images[:10] // 2]) - float(low)) / (high - low), 0, 1)
    np.testing.assert_allclose(shown, expected.squeeze(), atol=1e-12)
    assert [text.get_text() for place in axes for text in place.texts] == ["original", "restored"]


def test_a_reconstruction_brighter_than_all_originals_is_white() -> None:
    axes = plots.reconstructions(IMAGES[:1], IMAGES[:1] + 1000.0).axes
    assert axes[1].images[0].get_array().min() == 1
    assert axes[1].images[0].get_clim() == (0, 1)


@given(count=st.integers(1, 30), columns=st.integers(1, 12), channels=st.sampled_from([1, 3]))
def test_every_image_of_a_sheet_is_in_its_row_and_column(count: int, columns: int, channels: int) -> None:
    images = np.random.default_rng(count).random((count, 3, 4, channels))
    images[0, 0, 0], images[0, 0, 1] = 0, 1  # so that a sheet's scale is that of the values
    laid = plots.image_grid(images, columns).axes[0].images[0].get_array()
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        found = laid[row * 4 : row * 4 + 3, column * 5 : column * 5 + 4]
        np.testing.assert_allclose(found, image if channels == 3 else image[..., 0])


@pytest.mark.parametrize("count, columns", [(1000, 40), (12, 4), (3, 40)])
def test_a_pixel_of_a_sheet_is_a_square_of_whole_pixels(count: int, columns: int) -> None:
    figure = plots.image_grid(np.zeros((count, 28, 28, 1)), columns)
    height, width = figure.axes[0].images[0].get_array().shape
    across, down = figure.get_size_inches() * plots.DPI
    assert across / width == pytest.approx(round(across / width))
    assert down / height == pytest.approx(across / width)
    assert across <= 1600
