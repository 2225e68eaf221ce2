"""Every model family through the functions that all share: fit, predict, save, load."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter
from support.inputs import describe, training_context

from modelyard import models
from modelyard.core.config import Settings
from modelyard.core.errors import ModelyardError
from modelyard.core.files import read_zip
from modelyard.data import scaling
from modelyard.data.columns import Column
from modelyard.data.inputs import TrainingInput, refit, save_training
from modelyard.data.preprocessing import Imputation, Preprocessing
from modelyard.data.samples import Samples
from modelyard.models import EstimatorTraining, Model, NetworkTraining
from modelyard.models.export import convert
from modelyard.models.families import (
    autoencoder,
    baseline,
    boosting,
    cnn,
    detector,
    forest,
    histogram_boosting,
    linear,
    logistic,
    mlp,
    perceptron,
    recurrent,
)
from modelyard.serving.onnx_model import OnnxModel

MLP = mlp.Settings(family="mlp", units=(5,), activation="tanh")
CNN = cnn.Settings(family="cnn", filters=(3,), pooling="last", convolution_dropout=0.2, units=(4,), dense_dropout=0.1)
NORMALISED_CNN = cnn.Settings(
    family="cnn", filters=(3, 4), stride=2, padding="same", batch_normalisation=True, pooling="last",
    pooling_kind="average",
)  # fmt: skip
RECURRENT = recurrent.Settings(
    family="recurrent", vocabulary_size=12, embedding_dim=4, layer="gru", units=5, dropout=0.1, dense_units=(3,)
)
AUTOENCODER = autoencoder.Settings(family="autoencoder", latent_dim=6)
DETECTOR = detector.Settings(family="detector", filters=(3, 4), head_filters=(5,))
BASELINE = baseline.Settings(family="baseline")
LINEAR = linear.Settings(family="linear")
LOGISTIC = logistic.Settings(family="logistic", C=0.5)
PERCEPTRON = perceptron.Settings(family="perceptron", max_iter=5)
HISTOGRAM = histogram_boosting.Settings(family="histogram_boosting", max_iter=8, max_leaf_nodes=5)
FOREST = forest.Settings(family="forest", n_estimators=7, max_depth=4)
BOOSTING = boosting.Settings(family="boosting", n_estimators=10, subsample=0.8)


def network(loss: str, **changes: Any) -> NetworkTraining:
    return NetworkTraining(**({"seed": 7, "epochs": 2, "batch_size": 16, "loss": loss} | changes))


@dataclass(frozen=True)
class Case:
    """One family on one of the shared inputs, and the names of the files that its model folder holds."""

    data: str
    model: Settings
    training: Settings
    files: frozenset[str]


NETWORK_FILES = frozenset({"input.json", "model.keras"})
ESTIMATOR_FILES = frozenset({"input.json", "model.skops"})
CASES = {
    "mlp of values": Case("regression_input", MLP, network("mse"), NETWORK_FILES),
    "mlp with a sigmoid": Case(
        "image_input",
        MLP,
        network("binary_crossentropy", checkpoint="val_loss"),
        NETWORK_FILES | {"best.weights.h5"},
    ),
    "cnn": Case("image_input", CNN, network("sparse_categorical_crossentropy"), NETWORK_FILES),
    "cnn with batch normalisation": Case(
        "image_input",
        NORMALISED_CNN,
        network(
            "sparse_categorical_crossentropy",
            augmentation={"flip": "horizontal", "shift": 0.1},
            schedule={"kind": "cosine"},
            optimizer="adamw",
            early_stopping={"patience": 2, "restore_best": True},
        ),
        NETWORK_FILES,
    ),
    "recurrent": Case("word_input", RECURRENT, network("sparse_categorical_crossentropy"), NETWORK_FILES),
    "autoencoder": Case("image_input", AUTOENCODER, network("mse"), NETWORK_FILES | {"encoder.keras", "decoder.keras"}),
    "detector": Case("box_input", DETECTOR, network("detection"), NETWORK_FILES),
    "baseline of values": Case("regression_input", BASELINE, EstimatorTraining(seed=7), ESTIMATOR_FILES),
    "baseline of classes": Case("image_input", BASELINE, EstimatorTraining(seed=7), ESTIMATOR_FILES),
    "linear of values": Case(
        "regression_input", LINEAR, EstimatorTraining(seed=7), ESTIMATOR_FILES | {"coefficients.csv"}
    ),
    "linear of classes": Case("image_input", LINEAR, EstimatorTraining(seed=7), ESTIMATOR_FILES),
    "logistic": Case("image_input", LOGISTIC, EstimatorTraining(seed=7), ESTIMATOR_FILES),
    "perceptron": Case("image_input", PERCEPTRON, EstimatorTraining(seed=7), ESTIMATOR_FILES),
    "histogram boosting of values": Case("regression_input", HISTOGRAM, EstimatorTraining(seed=7), ESTIMATOR_FILES),
    "histogram boosting of classes": Case("image_input", HISTOGRAM, EstimatorTraining(seed=7), ESTIMATOR_FILES),
    "forest of values": Case("regression_input", FOREST, EstimatorTraining(seed=7), ESTIMATOR_FILES),
    "forest of classes": Case("image_input", FOREST, EstimatorTraining(seed=7), ESTIMATOR_FILES),
    "boosting of values": Case("regression_input", BOOSTING, EstimatorTraining(seed=7), ESTIMATOR_FILES),
    "boosting of classes": Case("image_input", BOOSTING, EstimatorTraining(seed=7), ESTIMATOR_FILES),
}
CLASSIFIERS = [
    name
    for name, case in CASES.items()
    if case.data != "regression_input" and "classification" in models.tasks_of(case.model.family)
]
LEARNERS = [name for name in CASES if not name.startswith("baseline")]
NETWORKS = [name for name, case in CASES.items() if "model.keras" in case.files]
ESTIMATORS = [name for name in CASES if name not in NETWORKS]


@dataclass(frozen=True)
class Trained:
    """A case fitted and saved twice."""

    data: TrainingInput
    model: Model
    folder: Path
    folder_of_second_fit: Path


_TRAINED: dict[str, Trained] = {}  # a network's fit takes a second: each case is fitted once for all tests


@pytest.fixture
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    if request.param not in _TRAINED:
        case = CASES[request.param]
        data = request.getfixturevalue(case.data)
        data = standardised(data) if case.data == "regression_input" else data
        folders = [tmp_path_factory.mktemp("model"), tmp_path_factory.mktemp("model")]
        fitted = [fit_and_save(case, data, folder) for folder in folders]
        _TRAINED[request.param] = Trained(data, fitted[0], *folders)
    return _TRAINED[request.param]


def standardised(data: TrainingInput) -> TrainingInput:
    scaler = scaling.fit("standard", data.training.x)
    return TrainingInput(data.description.model_copy(update={"scaling": "standard", "scaler": scaler}), data.samples)


def fit_and_save(case: Case, data: TrainingInput, folder: Path) -> Model:
    model, _ = models.fit(case.model, case.training, data, training_context(folder))
    model.save(folder)
    return model


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("trained", CASES, indirect=True)
def test_a_loaded_model_predicts_as_before_it_was_saved(trained: Trained) -> None:
    loaded = models.load(trained.folder)
    assert loaded.description == trained.model.description
    before, after = trained.model.predict(trained.data.samples.x), loaded.predict(trained.data.samples.x)
    np.testing.assert_allclose(after, before, atol=1e-6, rtol=1e-6)


def test_every_family_but_the_transfers_has_a_case() -> None:
    assert {case.model.family for case in CASES.values()} == models._FAMILIES.keys() - {"transfer", "decoded"}


@pytest.mark.parametrize("trained", LEARNERS, indirect=True)
def test_predictions_differ_between_samples(trained: Trained) -> None:
    assert np.ptp(trained.model.predict(trained.data.samples.x), axis=0).max() > 0.001


@pytest.mark.parametrize("trained", ["baseline of values", "baseline of classes"], indirect=True)
def test_a_baseline_predicts_the_same_for_every_sample(trained: Trained) -> None:
    predicted, truth = trained.model.predict(trained.data.samples.x), trained.data.training.y
    usual = np.bincount(truth) / len(truth) if predicted.ndim == 2 else truth.mean()
    np.testing.assert_allclose(predicted, np.broadcast_to(usual, predicted.shape), rtol=1e-12)


@pytest.mark.parametrize("name, trained", [(name, name) for name in CASES], indirect=["trained"])
def test_a_model_folder_has_the_expected_files_only(name: str, trained: Trained) -> None:
    assert contents(trained.folder).keys() == CASES[name].files


@pytest.mark.parametrize("trained", CASES, indirect=True)
def test_two_fits_with_one_seed_give_equal_bytes(trained: Trained) -> None:
    assert contents(trained.folder) == contents(trained.folder_of_second_fit)


@pytest.mark.parametrize("trained", CASES, indirect=True)
def test_no_archive_contains_a_pickle(trained: Trained, tmp_path: Path) -> None:
    (path,) = trained.folder.glob("model.*")
    for name, content in read_zip(path).items():
        assert name.endswith((".json", ".npy", ".h5"))
        if name.endswith(".npy"):
            (tmp_path / name).write_bytes(content)
            np.load(tmp_path / name, allow_pickle=False)  # raises for an array of pickled objects


@pytest.mark.parametrize("trained", CASES, indirect=True)
def test_a_model_and_its_onnx_file_give_equal_answers_and_the_file_describes_the_input(trained: Trained) -> None:
    converted = convert(trained.model)
    assert set(converted) == {"model", *trained.model.submodels}
    answering = OnnxModel(converted["model"].SerializeToString())
    assert answering.description == trained.model.description
    samples = trained.data.samples.x
    np.testing.assert_allclose(answering.predict(samples), trained.model.predict(samples), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("trained", CASES, indirect=True)
def test_a_model_that_was_saved_and_loaded_is_converted_to_equal_bytes(trained: Trained) -> None:
    """The second conversion in a process gets other names from Keras, TensorFlow and the converters."""
    first, second = convert(models.load(trained.folder)), convert(models.load(trained.folder))
    assert [each.SerializeToString(deterministic=True) for each in first.values()] == [
        each.SerializeToString(deterministic=True) for each in second.values()
    ]


@pytest.mark.parametrize("trained", CLASSIFIERS, indirect=True)
def test_probabilities_of_all_classes_sum_to_one(trained: Trained) -> None:
    """Also behind a single sigmoid, which by itself tells the second class only."""
    probabilities = trained.model.predict(trained.data.samples.x)
    assert probabilities.shape == (80, 2)
    assert probabilities.min() >= 0
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


SEQUENTIAL = [name for name in NETWORKS if name != "detector"]  # its cells come from two layers side by side


@pytest.mark.parametrize("name, trained", [(name, name) for name in SEQUENTIAL], indirect=["trained"])
def test_a_network_on_raw_samples_equals_a_plain_one_on_scaled_samples(name: str, trained: Trained) -> None:
    from keras import Input, Sequential, layers

    hidden = {
        "mlp of values": [layers.Dense(5, "tanh"), layers.Dense(1)],
        "mlp with a sigmoid": [layers.Flatten(), layers.Dense(5, "tanh"), layers.Dense(1, "sigmoid")],
        "cnn": [
            layers.Conv2D(3, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(4, "relu"),
            layers.Dense(2, "softmax"),
        ],
        "cnn with batch normalisation": [
            layers.Conv2D(3, 3, 2, "same", use_bias=False),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.Conv2D(4, 3, 2, "same", use_bias=False),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dense(2, "softmax"),
        ],
        "autoencoder": [layers.Flatten(), layers.Dense(6, "relu"), layers.Dense(64)],
        "recurrent": [
            layers.Embedding(12, 4, mask_zero=True),
            layers.GRU(5),
            layers.Dense(3, "relu"),
            layers.Dense(2, "softmax"),
        ],
    }[name]
    plain = Sequential([Input(trained.data.description.shape), *hidden])
    plain.set_weights(trained.model.native.get_weights())
    raw = trained.data.samples.x
    expected = np.asarray(plain(trained.data.description.scaler.transform(raw).astype(np.float32)))
    last_column = models.load(trained.folder).predict(raw).reshape(len(raw), -1)[:, -1]
    np.testing.assert_allclose(last_column, expected[:, -1], atol=1e-5)


@pytest.mark.parametrize("name, trained", [(name, name) for name in ESTIMATORS], indirect=["trained"])
def test_an_estimator_on_raw_samples_equals_a_plain_one_on_scaled_samples(name: str, trained: Trained) -> None:
    description, training = trained.data.description, trained.data.training
    scaled = description.scaler.transform(trained.data.samples.x).reshape(len(trained.data.samples), -1)
    _, family = models._FAMILIES[CASES[name].model.family]
    plain = family.build(description, CASES[name].model, 7).fit(scaled[: len(training)], training.y)
    expected = plain.predict(scaled) if description.task == "regression" else plain.predict_proba(scaled)
    np.testing.assert_allclose(models.load(trained.folder).predict(trained.data.samples.x), expected, atol=1e-5)


ANOTHER_PROCESS = """
import sys
from pathlib import Path
import models.families.test_families as tests
from modelyard.data.inputs import load_training
for name, data, folder in zip(*[iter(sys.argv[1:])] * 3):
    tests.fit_and_save(tests.CASES[name], load_training(Path(data)), Path(folder))
"""


@pytest.mark.slow
def test_another_process_writes_equal_bytes(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """One network and one estimator; the other process fits nothing before, and reads its rows from disk."""
    names = ("cnn", "boosting of classes")
    data = request.getfixturevalue("image_input")
    save_training(data, tmp_path / "data")
    arguments = []
    for name in names:
        here, there = tmp_path / name / "here", tmp_path / name / "there"
        here.mkdir(parents=True), there.mkdir()
        fit_and_save(CASES[name], data, here)
        arguments += [name, tmp_path / "data", there]
    subprocess.run([sys.executable, "-c", ANOTHER_PROCESS, *arguments], check=True, cwd=Path(__file__).parents[2])
    for name in names:
        assert contents(tmp_path / name / "here") == contents(tmp_path / name / "there")


def test_a_family_that_takes_no_gaps_refuses_an_input_that_keeps_them(tmp_path):
    columns = (Column(name="age", kind="number"), Column(name="sex", kind="category", categories=("f", "m")))
    x = np.array([[1.0, 0], [np.nan, 1], [3, 0], [4, 1]] * 5)
    samples = Samples(x, np.arange(20) % 2)
    keep = Preprocessing(imputation=(Imputation(strategy="keep"),) * 2, min_frequency=1)
    description = describe(samples, classes=("a", "b"), features=("age", "sex"), columns=columns, preprocessing=keep)
    data = TrainingInput(refit(description.model_copy(update={"scaling": "standard"}), samples), samples)
    settings = mlp.Settings(family="mlp", units=(2,))
    training = NetworkTraining(seed=0, epochs=1, loss="sparse_categorical_crossentropy")
    with pytest.raises(ModelyardError, match=r"mlp takes no gaps, and this input keeps those of age: .*forest"):
        models.fit(settings, training, data, training_context(tmp_path))
    for family in ("forest", "histogram_boosting", "baseline"):
        chosen = TypeAdapter(models.ModelSettings).validate_python({"family": family})
        model, _ = models.fit(chosen, models.EstimatorTraining(seed=0), data, training_context(tmp_path))
        assert np.isfinite(model.predict(x)).all()


def test_a_reconstruction_refuses_categories_and_gaps(tmp_path):
    columns = (Column(name="age", kind="number"),)
    samples = Samples(np.array([[1.0], [np.nan]] * 5), np.zeros(10))
    median = Preprocessing(imputation=(Imputation(strategy="median"),), min_frequency=1)
    description = describe(samples, features=("age",), columns=columns, preprocessing=median)
    data = TrainingInput(refit(description, samples), samples)
    with pytest.raises(ModelyardError, match="autoencoder is for inputs of numbers without gaps"):
        models.fit(AUTOENCODER, NetworkTraining(seed=0, epochs=1, loss="mse"), data, training_context(tmp_path))
