"""Every scaling is one formula, and what is promised of each method holds for any rows."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from modelyard.data.scaling import CHUNK, Scaler, as_if_fitted_on, fit

METHODS = ["none", "pixels", "minmax", "standard", "minmax_per_split"]
METHOD = pytest.mark.parametrize("method", METHODS)

# Whole thousandths: the properties are about scaling, not about the last bits of numbers that differ by 1e-300.
NUMBERS = st.integers(-10_000_000, 10_000_000).map(lambda thousandths: thousandths / 1000)
ROWS = array_shapes(min_dims=2, max_dims=4, min_side=1, max_side=6).flatmap(
    lambda shape: st.one_of(
        arrays(np.float64, shape, elements=NUMBERS),
        arrays(np.float32, shape, elements=st.integers(-1000, 1000).map(float)),
        arrays(np.uint8, shape),
    )
)


def _varies(rows: np.ndarray) -> np.ndarray:
    return rows.max(axis=0) > rows.min(axis=0)


@METHOD
@given(rows=ROWS)
def test_scaling_and_back_gives_the_rows(method: str, rows: np.ndarray):
    scaler = fit(method, rows)
    np.testing.assert_allclose(scaler.invert(scaler.apply(rows)), rows, rtol=1e-9, atol=1e-6)


@METHOD
@given(rows=ROWS)
def test_every_method_is_the_one_formula(method: str, rows: np.ndarray):
    scaler = fit(method, rows)
    flat = rows.reshape(len(rows), -1).astype(np.float64)
    assert len(scaler.offset) in (1, flat.shape[1])
    assert len(scaler.scale) in (1, flat.shape[1])
    scaled = scaler.apply(rows)
    assert scaled.dtype == np.float64
    expected = (flat - np.array(scaler.offset)) / np.array(scaler.scale)
    np.testing.assert_array_equal(scaled, expected.reshape(rows.shape))


@given(rows=ROWS)
def test_minmax_puts_the_training_rows_between_0_and_1(rows: np.ndarray):
    scaled = fit("minmax", rows).apply(rows)
    varies = _varies(rows)
    assert scaled.min() >= 0
    assert scaled.max() <= 1
    np.testing.assert_array_equal(scaled.min(axis=0), 0.0)
    np.testing.assert_array_equal(scaled.max(axis=0)[varies], 1.0)


@given(rows=ROWS)
def test_standard_gives_the_training_rows_mean_0_and_deviation_1(rows: np.ndarray):
    scaled = fit("standard", rows).apply(rows)[:, _varies(rows)]
    np.testing.assert_allclose(scaled.mean(axis=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(scaled.std(axis=0), 1.0, atol=1e-6)


@pytest.mark.parametrize("method", ["minmax", "standard"])
@given(value=st.integers(-100, 100).map(float), count=st.integers(1, 50))
def test_a_constant_feature_gets_the_scale_one(method: str, value: float, count: int):
    scaler = fit(method, np.full((count, 1), value))
    assert (scaler.offset, scaler.scale) == ((value,), (1.0,))


def test_a_constant_feature_whose_mean_is_rounded_gets_the_scale_one():
    assert fit("standard", np.full((7, 1), 0.1)).scale == (1.0,)


def test_one_row_gets_the_scale_one():
    assert fit("standard", np.array([[3.0, 4.0]])) == Scaler(offset=(3.0, 4.0), scale=(1.0, 1.0))


def test_pixels_are_divided_by_255_whatever_the_rows_hold():
    scaled = fit("pixels", np.zeros((2, 2, 2, 1), np.uint8)).apply(np.full((1, 2, 2, 1), 255, np.uint8))
    np.testing.assert_array_equal(scaled, 1.0)


@pytest.mark.parametrize("rows_count", [5, CHUNK - 1, CHUNK, 2 * CHUNK + 3])
@pytest.mark.parametrize(("method", "reference"), [("minmax", MinMaxScaler()), ("standard", StandardScaler())])
def test_scaling_is_that_of_scikit_learn(method: str, reference: object, rows_count: int):
    random = np.random.default_rng(0)
    rows = random.normal(loc=1000, scale=[1, 50, 3], size=(rows_count, 3))
    others = random.normal(size=(4, 3))
    np.testing.assert_allclose(fit(method, rows).apply(others), reference.fit(rows).transform(others), rtol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_an_image_set_is_never_converted_as_a_whole(method: str):
    images = np.random.default_rng(0).integers(0, 256, size=(20_000, 28, 28, 1), dtype=np.uint8)
    tracemalloc.start()
    fit(method, images)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < images.size * 8 / 2  # bytes: half of what the images would need as float64


@given(rows=ROWS)
def test_the_leak_scales_the_test_rows_by_their_own_range(rows: np.ndarray):
    fitted = fit("minmax_per_split", np.linspace(0, 1, 5).reshape(5, *(1,) * (rows.ndim - 1)) * np.ones(rows.shape[1:]))
    moved = as_if_fitted_on(rows, fitted)
    np.testing.assert_allclose(fitted.apply(moved), fit("minmax", rows).apply(rows), atol=1e-9)


def test_the_leak_is_told_apart_from_the_honest_scaling():
    training, test = np.array([[0.0], [10.0]]), np.array([[5.0], [20.0]])
    fitted = fit("minmax_per_split", training)
    np.testing.assert_array_equal(fitted.apply(test), [[0.5], [2.0]])
    np.testing.assert_array_equal(fitted.apply(as_if_fitted_on(test, fitted)), [[0.0], [1.0]])
