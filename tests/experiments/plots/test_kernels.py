"""Kernels and maps of the first convolution: their places, their scale, how many."""

import numpy as np
import pytest

from modelyard.experiments import plots

RANDOM = np.random.default_rng(0)


def drawn(axes: object) -> np.ndarray:
    return np.asarray(axes.images[0].get_array())


@pytest.mark.parametrize("channels", [1, 3])
def test_each_kernel_is_in_its_row_and_column_and_zero_is_mid_grey(channels: int) -> None:
    weights = RANDOM.normal(size=(3, 5, channels, 10))
    laid = drawn(plots.filters(weights).axes[0]).reshape(7, 47, -1)
    for number in range(10):
        row, column = divmod(number, 8)
        found = laid[row * 4 : row * 4 + 3, column * 6 : column * 6 + 5]
        np.testing.assert_allclose((found - 0.5) * 2 * np.abs(weights).max(), weights[..., number], atol=1e-12)


def test_the_colour_bar_of_the_kernels_is_symmetric_up_to_the_largest_weight() -> None:
    weights = np.zeros((3, 3, 1, 2))
    weights[1, 1, 0, 0] = -0.25
    scale = plots.filters(weights).axes[1]
    assert scale.get_ylim() == (-0.25, 0.25)
    assert scale.get_ylabel() == "weight"


def test_kernels_of_neither_one_nor_three_channels_are_drawn_as_their_mean() -> None:
    weights = np.stack([np.full((3, 3, 1), 1.0), np.full((3, 3, 1), 0.5)], axis=2)
    assert drawn(plots.filters(weights).axes[0]) == pytest.approx(0.875)


def test_no_more_than_sixty_four_kernels_are_drawn_each_in_its_frame() -> None:
    axes = plots.filters(RANDOM.normal(size=(3, 3, 1, 100))).axes[0]
    assert drawn(axes).shape == (8 * 4 - 1, 8 * 4 - 1)
    corners = [patch.get_xy() for patch in axes.patches]
    assert corners == [(column * 4 - 0.5, row * 4 - 0.5) for row in range(8) for column in range(8)]


@pytest.mark.parametrize("number, rows", [(8, 1), (12, 2), (32, 4), (50, 4)])
def test_an_image_is_drawn_beside_its_first_thirty_two_maps(number: int, rows: int) -> None:
    image = RANDOM.integers(0, 256, size=(6, 6, 3), dtype=np.uint8)
    left, right, scale = plots.feature_maps(image, RANDOM.random((4, 4, number))).axes
    assert (drawn(left).shape, drawn(right).shape) == ((6, 6, 3), (rows * 5 - 1, 39))
    assert scale.get_ylabel() == "activation"


def test_maps_share_one_scale_that_a_single_bright_pixel_does_not_stretch() -> None:
    maps = np.tile(np.linspace(0, 1, 400).reshape(20, 20, 1), (1, 1, 8))
    maps[..., 1] /= 2
    maps[0, 0, 2] = 1000
    laid = drawn(plots.feature_maps(np.zeros((22, 22, 1)), maps).axes[1])
    assert laid[19, 19] == pytest.approx(1)
    assert laid[19, 21 + 19] == pytest.approx(0.5, abs=0.01)
    assert laid[0, 42] == 1
