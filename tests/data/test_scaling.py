"""Every scaling is one formula, and the properties of each method hold for any samples."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from modelyard.data.scaling import CHUNK, Scaler, fit, leak_test_range

METHODS = ["none", "pixels", "minmax", "standard", "minmax_per_split"]
METHOD = pytest.mark.parametrize("method", METHODS)

# Whole thousandths: the properties are about scaling, not about the last bits of numbers that differ by 1e-300.
NUMBERS = st.integers(-10_000_000, 10_000_000).map(lambda thousandths: thousandths / 1000)
FEATURES = array_shapes(min_dims=2, max_dims=4, min_side=1, max_side=6).flatmap(
    lambda shape: st.one_of(
        arrays(np.float64, shape, elements=NUMBERS),
        arrays(np.float32, shape, elements=st.integers(-1000, 1000).map(float)),
        arrays(np.uint8, shape),
    )
)


def _varies(x: np.ndarray) -> np.ndarray:
    return x.max(axis=0) > x.min(axis=0)


@METHOD
@given(x=FEATURES)
def test_scaling_and_back_gives_the_samples(method: str, x: np.ndarray):
    scaler = fit(method, x)
    np.testing.assert_allclose(scaler.inverse_transform(scaler.transform(x)), x, rtol=1e-9, atol=1e-6)


@METHOD
@given(x=FEATURES)
def test_every_method_is_the_one_formula(method: str, x: np.ndarray):
    scaler = fit(method, x)
    flat = x.reshape(len(x), -1).astype(np.float64)
    assert len(scaler.offset) in (1, flat.shape[1])
    assert len(scaler.scale) in (1, flat.shape[1])
    scaled = scaler.transform(x)
    assert scaled.dtype == np.float64
    expected = (flat - np.array(scaler.offset)) / np.array(scaler.scale)
    np.testing.assert_array_equal(scaled, expected.reshape(x.shape))


@given(x=FEATURES)
def test_minmax_puts_the_training_samples_between_0_and_1(x: np.ndarray):
    scaled = fit("minmax", x).transform(x)
    varies = _varies(x)
    assert scaled.min() >= 0
    assert scaled.max() <= 1
    np.testing.assert_array_equal(scaled.min(axis=0), 0.0)
    np.testing.assert_array_equal(scaled.max(axis=0)[varies], 1.0)


@given(x=FEATURES)
def test_standard_gives_the_training_samples_mean_0_and_deviation_1(x: np.ndarray):
    scaled = fit("standard", x).transform(x)[:, _varies(x)]
    np.testing.assert_allclose(scaled.mean(axis=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(scaled.std(axis=0), 1.0, atol=1e-6)


@pytest.mark.parametrize("method", ["minmax", "standard"])
@given(value=st.integers(-100, 100).map(float), count=st.integers(1, 50))
def test_a_constant_feature_gets_the_scale_one(method: str, value: float, count: int):
    scaler = fit(method, np.full((count, 1), value))
    assert (scaler.offset, scaler.scale) == ((value,), (1.0,))


def test_a_constant_feature_whose_mean_is_rounded_gets_the_scale_one():
    assert fit("standard", np.full((7, 1), 0.1)).scale == (1.0,)


def test_features_whose_squared_differences_are_too_small_for_a_number_get_the_scale_one():
    assert fit("standard", np.array([[0.0], [1e-200]])).scale == (1.0,)


def test_one_sample_gets_the_scale_one():
    assert fit("standard", np.array([[3.0, 4.0]])) == Scaler(offset=(3.0, 4.0), scale=(1.0, 1.0))


def test_pixels_are_divided_by_255_whatever_the_samples_hold():
    scaled = fit("pixels", np.zeros((2, 2, 2, 1), np.uint8)).transform(np.full((1, 2, 2, 1), 255, np.uint8))
    np.testing.assert_array_equal(scaled, 1.0)


@pytest.mark.parametrize("samples_count", [5, CHUNK - 1, CHUNK, 2 * CHUNK + 3])
@pytest.mark.parametrize(("method", "reference"), [("minmax", MinMaxScaler()), ("standard", StandardScaler())])
def test_scaling_is_that_of_scikit_learn(method: str, reference: object, samples_count: int):
    random = np.random.default_rng(0)
    x = random.normal(loc=1000, scale=[1, 50, 3], size=(samples_count, 3))
    others = random.normal(size=(4, 3))
    np.testing.assert_allclose(fit(method, x).transform(others), reference.fit(x).transform(others), rtol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_an_image_set_is_never_converted_as_a_whole(method: str):
    images = np.random.default_rng(0).integers(0, 256, size=(20_000, 28, 28, 1), dtype=np.uint8)
    tracemalloc.start()
    fit(method, images)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < images.size * 8 / 2  # bytes: half of what the images would need as float64


@given(x=FEATURES)
def test_the_leak_scales_the_test_samples_by_their_own_range(x: np.ndarray):
    fitted = fit("minmax_per_split", np.linspace(0, 1, 5).reshape(5, *(1,) * (x.ndim - 1)) * np.ones(x.shape[1:]))
    moved = leak_test_range(x, fitted)
    np.testing.assert_allclose(fitted.transform(moved), fit("minmax", x).transform(x), atol=1e-9)


def test_the_leak_differs_from_the_honest_scaling():
    training, test = np.array([[0.0], [10.0]]), np.array([[5.0], [20.0]])
    fitted = fit("minmax_per_split", training)
    np.testing.assert_array_equal(fitted.transform(test), [[0.5], [2.0]])
    np.testing.assert_array_equal(fitted.transform(leak_test_range(test, fitted)), [[0.0], [1.0]])
