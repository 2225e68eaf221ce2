"""Columns encoded by Keras and by scikit-learn: both as a plain scikit-learn pipeline of the raw table does it."""

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from support.inputs import describe

from modelyard.data.columns import Column
from modelyard.data.inputs import InputDescription, refit
from modelyard.data.preprocessing import Imputation, Preprocessing
from modelyard.data.samples import Samples
from modelyard.models.engine import keras_columns, sklearn_columns
from modelyard.models.engine.sklearn_model import TRUSTED

COLOURS, SIZES = ("blue", "green", "red"), ("large", "small")
COLUMNS = (
    Column(name="age", kind="number"),
    Column(name="colour", kind="category", categories=COLOURS),
    Column(name="price", kind="number"),
    Column(name="size", kind="category", categories=SIZES),
)
MEDIAN, FREQUENT = Imputation(strategy="median", add_indicator=True), Imputation(strategy="most_frequent")
IMPUTATION = (MEDIAN, FREQUENT, Imputation(strategy="median"), Imputation(strategy="refuse"))


def made_up(count: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    x = np.column_stack(
        [
            random.normal(40, 10, count),
            random.integers(0, 3, count),
            random.lognormal(size=count),
            random.integers(0, 2, count),
        ]
    )
    x[random.random(count) < 0.2, 0] = np.nan
    x[random.random(count) < 0.2, 1] = np.nan
    x[:3] = [[40, 0, 1, 0], [50, 1, 2, 1], [np.nan, 2, 3, 1]]
    return x


def learnt(x: np.ndarray, min_frequency: int = 1) -> tuple[InputDescription, Preprocessing]:
    samples = Samples(x, np.zeros(len(x)))
    preprocessing = Preprocessing(imputation=IMPUTATION, min_frequency=min_frequency)
    names = tuple(column.name for column in COLUMNS)
    description = describe(samples, features=names, columns=COLUMNS, preprocessing=preprocessing, scaling="standard")
    description = refit(description, samples)
    assert description.preprocessing
    return description, description.preprocessing


def as_table(x: np.ndarray) -> pd.DataFrame:
    """The raw table, with text for categories and None for their gaps."""
    texts = {1: COLOURS, 3: SIZES}
    columns: dict[str, object] = {column.name: x[:, position] for position, column in enumerate(COLUMNS)}
    for position, names in texts.items():
        values = [None if np.isnan(value) else names[int(value)] for value in x[:, position]]
        columns[COLUMNS[position].name] = pd.Series(values, dtype=object)
    return pd.DataFrame(columns)


def plain_pipeline(min_frequency: int) -> ColumnTransformer:
    one_hot = OneHotEncoder(min_frequency=min_frequency, handle_unknown="infrequent_if_exist", sparse_output=False)
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    return ColumnTransformer(
        [
            ("numbers", numbers, ["age", "price"]),
            ("indicator", MissingIndicator(), ["age"]),
            (
                "colour",
                make_pipeline(SimpleImputer(strategy="most_frequent", missing_values=None), one_hot),
                ["colour"],
            ),
            ("size", one_hot, ["size"]),
        ]
    )


def with_keras(description: InputDescription, preprocessing: Preprocessing) -> keras.Model:
    raw = keras.Input(description.shape, dtype="float32")
    return keras.Model(raw, keras_columns.encode(raw, description, preprocessing))


@settings(max_examples=15, deadline=None)
@given(st.integers(5, 80), st.integers(0, 1000), st.sampled_from([1, 3, 20]))
def test_both_engines_encode_as_a_plain_scikit_learn_pipeline_does(count: int, seed: int, min_frequency: int):
    x, others = made_up(count, seed), made_up(20, seed + 1)
    description, preprocessing = learnt(x, min_frequency)
    reference = plain_pipeline(min_frequency).fit(as_table(x))
    expected = reference.transform(as_table(others)).astype(float)
    ours = sklearn_columns.fit_transformer(description, preprocessing, x, one_hot=True).transform(others)
    np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-9)
    network = with_keras(description, preprocessing).predict_on_batch(others.astype(np.float32))
    np.testing.assert_allclose(network, expected, rtol=1e-4, atol=1e-5)


def test_an_unknown_category_is_other_if_training_had_rare_ones_and_else_none(tmp_path: Path):
    x = made_up(50, 0)
    x[2:, 3] = 0
    unknown = np.array([[40.0, -1, 1, -1]])
    for min_frequency, of_size in ((1, [0, 0]), (3, [0, 1])):
        description, preprocessing = learnt(x, min_frequency)
        for encoded in (
            with_keras(description, preprocessing).predict_on_batch(unknown.astype(np.float32)),
            sklearn_columns.fit_transformer(description, preprocessing, x, one_hot=True).transform(unknown),
        ):
            np.testing.assert_array_equal(encoded[0, -2:], of_size)
            np.testing.assert_array_equal(encoded[0, 3:6], [0, 0, 0])


def test_saved_steps_need_no_code_and_encode_the_same(tmp_path: Path):
    x = made_up(50, 0)
    description, preprocessing = learnt(x)
    network = with_keras(description, preprocessing)
    network.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    batch = x.astype(np.float32)
    np.testing.assert_array_equal(loaded.predict_on_batch(batch), network.predict_on_batch(batch))
    transformer = sklearn_columns.fit_transformer(description, preprocessing, x, one_hot=True)
    skops.io.dump(transformer, tmp_path / "model.skops")
    again = skops.io.load(tmp_path / "model.skops", trusted=TRUSTED)
    np.testing.assert_array_equal(again.transform(x), transformer.transform(x))


@pytest.mark.parametrize("value", [-1.0, 1.0])
def test_without_one_hot_rare_and_unknown_categories_are_missing(value: float):
    x = made_up(50, 0)
    x[2:, 3] = 0
    description, preprocessing = learnt(x, min_frequency=3)
    transformer = sklearn_columns.fit_transformer(description, preprocessing, x, one_hot=False)
    encoded = transformer.transform(np.array([[40.0, 2, 1, value]]))
    assert encoded.shape == (1, 5)
    assert np.isnan(encoded[0, -1])
    assert encoded[0, -2] == 2
