"""Imputation, scaling and encoding of a table's columns as scikit-learn's own steps: saved models need no code."""

from typing import Any

import numpy as np

from modelyard.data.inputs import InputDescription
from modelyard.data.preprocessing import OneHot, Preprocessing


def fit_transformer(description: InputDescription, preprocessing: Preprocessing, x: np.ndarray, one_hot: bool) -> Any:
    """Return a fitted ColumnTransformer of raw features (n, features), NaN for gaps.

    Args:
        description: the input.
        preprocessing: its preprocessing, which has learnt what stands for gaps.
        x: its training samples (n, features).
        one_hot: whether categories become one-hot features, in the order of `Preprocessing`; or one number each, NaN
            for a rare or unknown one.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.frozen import FrozenEstimator
    from sklearn.impute import MissingIndicator

    steps: list[tuple[str, Any, list[int]]] = []
    if numbers := list(preprocessing.numbers):
        steps.append(("numbers", FrozenEstimator(_numbers(description, preprocessing, x[:, numbers])), numbers))
    if indicators := list(preprocessing.indicators):
        steps.append(("indicators", MissingIndicator(features="all"), indicators))
    for encoded in preprocessing.one_hot:
        step = _categories(encoded, preprocessing, x[:, [encoded.feature]], one_hot)
        steps.append((f"category {encoded.feature}", FrozenEstimator(step), [encoded.feature]))
    return ColumnTransformer(steps, sparse_threshold=0).fit(x)


def _numbers(description: InputDescription, preprocessing: Preprocessing, x: np.ndarray) -> Any:
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    imputer = _imputer([preprocessing.fill[position] for position in preprocessing.numbers], x)
    scaler = StandardScaler().fit(imputer.transform(x))
    scaler.mean_ = np.array(description.scaler.offset)
    scaler.scale_ = np.array(description.scaler.scale)
    scaler.var_ = scaler.scale_**2
    return Pipeline([("imputation", imputer), ("scaling", scaler)])


def _categories(encoded: OneHot, preprocessing: Preprocessing, x: np.ndarray, one_hot: bool) -> Any:
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

    imputer = _imputer([preprocessing.fill[encoded.feature]], x)
    encoder: Any = OrdinalEncoder(
        categories=[np.array(encoded.codes)], handle_unknown="use_encoded_value", unknown_value=np.nan
    )
    if one_hot:
        encoder = OneHotEncoder(
            min_frequency=preprocessing.min_frequency, handle_unknown="infrequent_if_exist", sparse_output=False
        )
    encoder.fit(imputer.transform(x))
    return Pipeline([("imputation", imputer), ("encoding", encoder)])


def _imputer(fill: list[float | None], x: np.ndarray) -> Any:
    """An imputer with these values, one for each column; NaN leaves the gaps."""
    from sklearn.impute import SimpleImputer

    imputer = SimpleImputer(strategy="median", keep_empty_features=True).fit(x)
    imputer.statistics_ = np.array([np.nan if value is None else value for value in fill])
    return imputer
