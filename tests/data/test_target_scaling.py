"""Scaling of targets: its inverse, what it is fitted on, and targets that it refuses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from modelyard.core.errors import ModelyardError
from modelyard.data.target_scaling import TargetScaler

METHODS = ["standard", "log"]
TARGETS = arrays(np.float64, st.integers(1, 40), elements=st.floats(0, 1e9))
REFERENCES = {
    "standard": StandardScaler(),
    "log": make_pipeline(FunctionTransformer(np.log1p), StandardScaler()),
}


@pytest.mark.parametrize("method", METHODS)
@given(y=TARGETS)
def test_the_inverse_gives_the_targets_back(method: str, y: np.ndarray) -> None:
    scaler = TargetScaler(method=method).refit(y, len(y))
    np.testing.assert_allclose(scaler.inverse_transform(scaler.transform(y)), y, rtol=1e-9, atol=1e-9 * y.max() + 1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_it_is_that_of_scikit_learn_and_fitted_on_the_training_samples_only(method: str, unit: float) -> None:
    y = unit * np.random.default_rng(0).exponential(size=50)
    scaler = TargetScaler(method=method).refit(np.concatenate([y, [1e9]]), 50)
    expected = REFERENCES[method].fit(y[:, np.newaxis]).transform(y[:, np.newaxis])[:, 0]
    np.testing.assert_allclose(scaler.transform(y), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_a_constant_target_is_only_shifted(method: str) -> None:
    assert TargetScaler(method=method).refit(np.full(7, 0.1), 7).scale == 1.0


def test_whole_numbers_are_scaled_as_numbers() -> None:
    scaler = TargetScaler(method="log").refit(np.array([0, 9, 99]), 3)
    np.testing.assert_allclose(scaler.transform(np.array([9])), 0, atol=1e-12)


@given(smallest=st.floats(-1e6, -1e-6), place=st.integers(0, 4))
def test_the_smallest_target_without_a_logarithm_is_named_wherever_it_stands(smallest: float, place: int) -> None:
    y = np.arange(5.0)
    y[place] = smallest
    with pytest.raises(ModelyardError) as refused:
        TargetScaler(method="log").refit(y, 3)
    assert f"the smallest is {smallest:g}: use `target_scaling: standard`" in str(refused.value)
    TargetScaler(method="standard").refit(y, 3)
