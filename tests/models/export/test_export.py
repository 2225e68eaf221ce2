"""Conversion to ONNX of what the tests of all families lack: tables with gaps, target scalings, recurrent layers."""

import subprocess
import sys

import numpy as np
import pytest
import tf2onnx.graph
from pydantic import TypeAdapter
from support.inputs import describe, training_context

from modelyard import models
from modelyard.data.columns import Column
from modelyard.data.inputs import TrainingInput, refit
from modelyard.data.preprocessing import Imputation, Preprocessing
from modelyard.data.samples import Samples
from modelyard.data.target_scaling import TargetScaler
from modelyard.models import EstimatorTraining, NetworkTraining
from modelyard.models.export import NotConvertible, convert
from modelyard.models.export.named_columns import load_with_named_columns
from modelyard.models.families import cnn, mlp, recurrent
from modelyard.serving.onnx_model import OnnxModel

COLUMNS = (
    Column(name="area", kind="number"),
    Column(name="town", kind="category", categories=("Bonn", "Kiel", "Ulm", "Hof")),
    Column(name="sold_on", kind="date", parts=("year", "month")),
    Column(name="garden", kind="boolean"),
)


def table_input(target: TargetScaler | None = None, classes: tuple[str, ...] = ()) -> TrainingInput:
    """A table with gaps in numbers and categories, a rare category, and one that only the last rows have."""
    random = np.random.default_rng(0)
    x = np.column_stack([
        random.normal(100, 30, 60), random.integers(0, 2, 60), random.integers(1990, 2020, 60),
        random.integers(1, 13, 60), random.integers(0, 2, 60),
    ]).astype(float)  # fmt: skip
    x[::7, 0], x[::9, 1], x[3, 1], x[50:52, 1] = np.nan, np.nan, 2, 3
    y = np.nan_to_num(x[:, 0], nan=90) * 10 + 100 * np.nan_to_num(x[:, 1]) + random.normal(size=60)
    samples = Samples(x, (y > np.median(y)).astype(np.uint8) if classes else y)
    median = Imputation(strategy="median", add_indicator=True)
    usual = Imputation(strategy="most_frequent")
    learnt = Preprocessing(imputation=(median, usual, median, median, usual), min_frequency=2)
    names = tuple(name for column in COLUMNS for name in column.features)
    changes = {"features": names, "columns": COLUMNS, "preprocessing": learnt, "target_scaler": target}
    description = describe(samples, 12, classes, **changes).model_copy(update={"scaling": "standard"})
    return TrainingInput(refit(description, samples), samples)


def fit(family: str, data: TrainingInput) -> models.Model:
    settings = TypeAdapter(models.ModelSettings).validate_python({"family": family})
    return models.fit(settings, EstimatorTraining(seed=7), data, training_context())[0]


def assert_equal_answers(model: models.Model, samples: np.ndarray) -> None:
    found = OnnxModel(convert(model)["model"].SerializeToString()).predict(samples)
    np.testing.assert_allclose(found, model.predict(samples), rtol=1e-4, atol=1e-6)


TARGETS = [None, TargetScaler(method="standard"), TargetScaler(method="log")]


@pytest.mark.parametrize("target", TARGETS, ids=["plain", "standard", "log"])
@pytest.mark.parametrize("family", ["linear", "boosting", "forest", "baseline"])
def test_columns_with_gaps_and_categories_and_a_target_scaling_are_within_an_estimator(family, target):
    data = table_input(target)
    unseen = np.array([[np.nan, -1, np.nan, np.nan, 0], [80.0, 2, 2001, 3, 1]])  # -1: a category training never saw
    assert_equal_answers(fit(family, data), np.vstack([data.samples.x, unseen]))


@pytest.mark.parametrize("family", ["linear", "logistic", "perceptron", "boosting", "forest"])
def test_columns_with_gaps_and_categories_are_within_a_classifier(family):
    data = table_input(classes=("cheap", "dear", "none")[:2])
    assert_equal_answers(fit(family, data), data.samples.x)


@pytest.mark.parametrize("target", TARGETS, ids=["plain", "standard", "log"])
def test_columns_with_gaps_and_categories_and_a_target_scaling_are_within_a_network(target, tmp_path):
    data = table_input(target)
    training = NetworkTraining(seed=0, epochs=2, loss="mse", batch_size=16)
    model, _ = models.fit(mlp.Settings(family="mlp", units=(4,)), training, data, training_context(tmp_path))
    assert_equal_answers(model, data.samples.x)


def test_the_converter_visits_nodes_in_the_order_of_the_graph_and_not_of_the_hashes_of_their_names(tmp_path):
    """Else about one of sixty conversions of a network gives another graph."""
    settings = mlp.Settings(family="mlp", units=(3,))
    training = NetworkTraining(seed=0, epochs=1, loss="mse")
    convert(models.fit(settings, training, table_input(), training_context(tmp_path))[0])
    consumed, consumers = tf2onnx.graph.Graph([]), [f"consumer_{number}" for number in range(50)]
    for name in consumers:
        consumed.make_node("Relu", ["consumed"], name=name, shapes=[[1]], dtypes=[1])
    assert [node.name for node in consumed.find_output_consumers("consumed")] == consumers


@pytest.mark.parametrize("name", ["predictions", "Cast_1"])
def test_a_column_with_the_name_of_something_else_in_the_file_is_refused(name, tmp_path):
    samples = Samples(np.random.default_rng(0).normal(size=(60, 2)), np.arange(60.0))
    description = describe(samples, features=("a", name))
    model = fit("linear", TrainingInput(description, samples))
    (tmp_path / "model.onnx").write_bytes(convert(model)["model"].SerializeToString())
    with pytest.raises(NotConvertible, match=f"the name '{name}' of a column is taken by what the file computes"):
        load_with_named_columns(tmp_path / "model.onnx", description)


def test_histogram_boosting_with_categories_is_refused_because_its_converter_ignores_them():
    with pytest.raises(NotConvertible, match="splits by categories"):
        convert(fit("histogram_boosting", table_input()))


@pytest.mark.parametrize("layer", ["lstm", "simple", "gru"])
def test_padding_is_masked_in_every_recurrent_layer_also_between_words(layer, word_input, tmp_path):
    settings = recurrent.Settings(family="recurrent", vocabulary_size=12, layer=layer, units=5, dropout=0.2)
    training = NetworkTraining(seed=0, epochs=1, loss="sparse_categorical_crossentropy", batch_size=16)
    model, _ = models.fit(settings, training, word_input, training_context(tmp_path))
    gaps = word_input.samples.x.copy()
    gaps[:, 1] = 0
    assert_equal_answers(model, np.vstack([word_input.samples.x, gaps, np.zeros_like(gaps[:1])]))


def test_a_perceptron_of_three_classes_gives_the_probability_1_for_the_class_that_it_votes_for():
    random = np.random.default_rng(0)
    samples = Samples(random.normal(size=(60, 4)), np.arange(60) % 3)
    data = TrainingInput(describe(samples, classes=("a", "b", "c")), samples)
    assert_equal_answers(fit("perceptron", data), samples.x)


def test_a_layer_that_cannot_be_converted_is_named(word_input, tmp_path):
    import keras

    model, _ = models.fit(
        recurrent.Settings(family="recurrent", vocabulary_size=12, units=3),
        NetworkTraining(seed=0, epochs=1, loss="sparse_categorical_crossentropy"),
        word_input,
        training_context(tmp_path),
    )
    raw = keras.Input((6,), dtype="float32")
    words = keras.layers.Embedding(12, 4, mask_zero=True)(raw)
    twice = keras.layers.GRU(3)(keras.layers.GRU(3, return_sequences=True)(words))
    model.native = keras.Model(raw, keras.layers.Dense(2, "softmax")(twice))
    with pytest.raises(NotConvertible, match="recurrent layers only a single one"):
        convert(model)


CONVERTING = """
import sys
from pathlib import Path
from modelyard import models
from modelyard.models.export import convert
for folder in sys.argv[2:]:
    content = convert(models.load(Path(folder)))["model"].SerializeToString(deterministic=True)
    Path(sys.argv[1], Path(folder).name).write_bytes(content)
"""


@pytest.mark.slow
def test_another_process_with_other_hashes_converts_to_equal_bytes(image_input, word_input, tmp_path):
    """With the hashes of seed 41, tf2onnx gave another graph of the first model, before its sets had an order."""
    training = NetworkTraining(seed=0, epochs=1, loss="sparse_categorical_crossentropy")
    images = cnn.Settings(
        family="cnn", filters=(3, 4), stride=2, padding="same", batch_normalisation=True, pooling="last",
        pooling_kind="average",
    )  # fmt: skip
    texts = recurrent.Settings(family="recurrent", vocabulary_size=12, units=3)
    models_by_name = {
        "image": models.fit(images, training, image_input, training_context(tmp_path))[0],
        "text": models.fit(texts, training, word_input, training_context(tmp_path))[0],
        "table": fit("boosting", table_input()),
    }
    for name, model in models_by_name.items():
        (tmp_path / name).mkdir()
        model.save(tmp_path / name)
    for seed in ("1", "41"):
        (tmp_path / seed).mkdir()
        command = [sys.executable, "-c", CONVERTING, tmp_path / seed, *(tmp_path / name for name in models_by_name)]
        subprocess.run(command, check=True, env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": seed})
    for name in models_by_name:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "41" / name).read_bytes()
