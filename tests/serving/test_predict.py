"""Predictions for files and test samples equal those of the pipeline."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from support.batches import join
from support.training_inputs import box_input, image_input, tabular_input, text_input

from modelyard import models, tracking
from modelyard.core.config import Settings
from modelyard.core.errors import ModelyardError
from modelyard.core.files import write_table
from modelyard.data.inputs import InputDescription, TrainingInput, refit, save_test, save_training
from modelyard.data.samples import Samples
from modelyard.data.target_scaling import TargetScaler
from modelyard.experiments import evaluate, train
from modelyard.metrics import detection
from modelyard.models import EstimatorTraining, Model, NetworkTraining, Runtime
from modelyard.models.engine import box_coding
from modelyard.models.engine.sklearn_model import TRUSTED
from modelyard.models.families import (
    autoencoder,
    baseline,
    boosting,
    cnn,
    decoded,
    detector,
    forest,
    histogram_boosting,
    linear,
    logistic,
    mlp,
    perceptron,
    recurrent,
    transfer,
)
from modelyard.params.project import EstimatorExperiment, NetworkExperiment, TransferExperiment
from modelyard.serving import predict
from modelyard.serving.batch import PredictionBatch

CLOSE = 1e-5


def network(loss: str, **changes: object) -> NetworkTraining:
    return NetworkTraining(**({"seed": 7, "epochs": 3, "batch_size": 16, "loss": loss} | changes))


def scaled_tabular_input() -> TrainingInput:
    """The table with positive targets of many orders of magnitude, and their scaling."""
    data = tabular_input()
    samples = Samples(data.samples.x, np.exp(data.samples.y))
    unfitted = data.description.model_copy(update={"target_scaler": TargetScaler(method="log")})
    return TrainingInput(refit(unfitted, samples), samples)


TABLES = (tabular_input, scaled_tabular_input)


@dataclass(frozen=True)
class Case:
    data: Callable[[], TrainingInput]
    model: Settings
    training: Settings
    backbone: str = ""


SPARSE = "sparse_categorical_crossentropy"
ONCE = EstimatorTraining(seed=7)
CASES = {
    "mlp of values": Case(tabular_input, mlp.Settings(family="mlp", units=(5,)), network("mse")),
    "mlp of images": Case(image_input, mlp.Settings(family="mlp", units=(5,)), network("binary_crossentropy")),
    "cnn": Case(image_input, cnn.Settings(family="cnn", filters=(3,), units=(4,)), network(SPARSE)),
    "recurrent": Case(
        text_input,
        recurrent.Settings(family="recurrent", vocabulary_size=12, embedding_dim=4, layer="gru", units=5),
        network(SPARSE),
    ),
    "autoencoder": Case(image_input, autoencoder.Settings(family="autoencoder", latent_dim=4), network("mse")),
    "detector": Case(
        box_input,
        detector.Settings(family="detector", filters=(8, 8, 8), head_filters=(8,)),
        network("detection", epochs=60, learning_rate=0.01),
    ),
    "transfer": Case(
        image_input, transfer.Settings(family="transfer", backbone="cnn"), network(SPARSE), backbone="cnn"
    ),
    "decoded": Case(
        image_input,
        decoded.Settings(family="decoded", backbone="autoencoder", decoded_samples=9),
        network(SPARSE),
        backbone="autoencoder",
    ),
    "linear of values": Case(tabular_input, linear.Settings(family="linear"), ONCE),
    "linear of images": Case(image_input, linear.Settings(family="linear"), ONCE),
    "boosting of values": Case(tabular_input, boosting.Settings(family="boosting", n_estimators=10), ONCE),
    "boosting of images": Case(image_input, boosting.Settings(family="boosting", n_estimators=10), ONCE),
    "linear of scaled values": Case(scaled_tabular_input, linear.Settings(family="linear"), ONCE),
    "mlp of scaled values": Case(scaled_tabular_input, mlp.Settings(family="mlp", units=(5,)), network("mse")),
    "logistic": Case(image_input, logistic.Settings(family="logistic"), ONCE),
    "histogram boosting": Case(
        tabular_input, histogram_boosting.Settings(family="histogram_boosting", max_iter=10), ONCE
    ),
    "forest": Case(tabular_input, forest.Settings(family="forest", n_estimators=10), ONCE),
    "perceptron": Case(image_input, perceptron.Settings(family="perceptron"), ONCE),
    "baseline": Case(image_input, baseline.Settings(family="baseline"), ONCE),
}


@dataclass(frozen=True)
class Built:
    """The results of the stages train and evaluate."""

    test: Samples
    folder: Path
    kept: pd.DataFrame

    @property
    def model(self) -> Model:
        return models.load(self.folder / "model")


_BUILT: dict[str, Built] = {}  # a network's fit takes a second: each case is built once for all tests


@pytest.fixture
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(request.param, tmp_path_factory)


def build(name: str, folders: pytest.TempPathFactory) -> Built:
    """What pipeline/train.py and pipeline/evaluate.py do."""
    if name not in _BUILT:
        case, folder = CASES[name], folders.mktemp("results")
        backbone = build(case.backbone, folders).folder / "model" if case.backbone else None
        data = case.data()
        save_training(data, folder / "training")
        save_test(data.validation, folder / "test")
        kind = EstimatorExperiment if case.training is ONCE else NetworkExperiment
        experiment = (TransferExperiment if backbone else kind)(
            input="made_up", model=case.model, training=case.training
        )
        paths = (folder / "training", folder / "model", folder / "history.csv")
        train.train(experiment, Runtime(), *paths, tracking.NullRun(), backbone)
        found = evaluate.evaluate(models.load(folder / "model"), folder / "test")
        write_table(folder / "predictions.csv", found.predictions)
        _BUILT[name] = Built(data.validation, folder, pd.read_csv(folder / "predictions.csv"))
    return _BUILT[name]


def test_every_family_is_among_the_cases() -> None:
    assert {case.model.family for case in CASES.values()} == set(models._FAMILIES)


def without_our_code(folder: Path, rows: np.ndarray) -> np.ndarray:
    """What the libraries that wrote a model file make of it, given raw rows."""
    if (folder / "model.keras").exists():
        import keras

        return keras.saving.load_model(folder / "model.keras", compile=False).predict(rows, verbose=0)
    import skops.io

    pipeline = skops.io.load(folder / "model.skops", trusted=TRUSTED)
    flat = rows.reshape(len(rows), -1)
    return pipeline.predict_proba(flat) if hasattr(pipeline, "predict_proba") else pipeline.predict(flat)


def as_kept(outputs: np.ndarray, rows: np.ndarray, description: InputDescription) -> pd.DataFrame:
    """Outputs in the columns of predictions.csv, but for those that need the truth."""
    if description.task == "regression":
        return pd.DataFrame({"prediction": outputs.reshape(-1)})
    if description.task == "reconstruction":
        error = rows / 255 - outputs
        each = {"squared_error": error**2, "absolute_error": abs(error)}
        return pd.DataFrame({name: values.mean(axis=(1, 2, 3)) for name, values in each.items()})
    if description.task == "detection":
        found = box_coding.decode(outputs, description.shape)
        sides = dict(zip(("left", "top", "right", "bottom"), found.box.T, strict=True))
        return pd.DataFrame({"image": found.image, "class": found.label, "score": found.score, **sides})
    both = np.hstack([1 - outputs, outputs]) if outputs.shape[1] == 1 else outputs
    return pd.DataFrame({"prediction": both.argmax(axis=1), "probability": both.max(axis=1)})


@pytest.mark.parametrize("built", CASES, indirect=True)
def test_the_model_file_alone_predicts_what_predictions_csv_holds(built: Built) -> None:
    outputs = without_our_code(built.folder / "model", np.asarray(built.test.x))
    alone = as_kept(outputs, built.test.x, built.model.description)
    assert len(alone) == len(built.kept) > 0
    np.testing.assert_allclose(alone, built.kept[list(alone)], atol=CLOSE, rtol=CLOSE)


def write_files(rows: np.ndarray, description: InputDescription, folder: Path) -> list[Path]:
    """Write samples as files: images, texts, or one table."""
    if description.words:
        return [write_text_of(row, description.words, folder / f"{n}.txt") for n, row in enumerate(rows)]
    if len(description.shape) == 1:
        pd.DataFrame(rows, columns=description.features).to_csv(folder / "rows.csv", index=False)
        return [folder / "rows.csv"]
    for number, row in enumerate(rows):
        Image.fromarray(row.squeeze()).save(folder / f"{number}.png")
    return [folder / f"{number}.png" for number in range(len(rows))]


def write_text_of(row: np.ndarray, words: tuple[str, ...], path: Path) -> Path:
    path.write_text(", ".join("Unheard-of"[:7] if number == 2 else words[number] for number in row if words[number]))
    return path


@pytest.mark.parametrize("built", CASES, indirect=True)
def test_predictions_for_files_equal_those_for_the_test_samples_in_them(built: Built, tmp_path: Path) -> None:
    model = built.model
    batch = join(predict.read(write_files(built.test.x, model.description, tmp_path), model.description))
    np.testing.assert_array_equal(batch.x, built.test.x)
    table = predict.prediction_table(batch, model.predict(batch.x), model.description)
    kept = built.kept
    if model.description.task == "detection":
        kept = kept[kept.score >= detection.CERTAIN].assign(file=[str(tmp_path / f"{n}.png") for n in kept.image])
    classes = dict(enumerate(model.description.classes))
    kept = kept.rename(columns={"prediction": "class"}) if model.description.task == "classification" else kept
    kept = kept.assign(**{"class": kept["class"].map(classes)}) if "class" in kept else kept
    same = [name for name in table if name in kept]
    assert len(same) >= 1
    assert len(table) > 5
    pd.testing.assert_frame_equal(
        table[same], kept[same].reset_index(drop=True), check_dtype=False, atol=CLOSE, rtol=CLOSE
    )


@pytest.mark.parametrize("built", CASES, indirect=True)
def test_predictions_for_test_samples_have_the_truth_beside_them(built: Built) -> None:
    model = built.model
    batch = predict.take_test_samples([9, 2], built.folder / "test")
    outputs = model.predict(batch.x)
    np.testing.assert_array_equal(batch.x, built.test.x[[9, 2]])
    table = predict.prediction_table(batch, outputs, model.description)
    if model.description.task == "classification":
        assert table.truth.tolist() == [model.description.classes[number] for number in built.test.y[[9, 2]]]
        np.testing.assert_allclose(table.probability, built.kept.probability[[9, 2]], atol=CLOSE)
    if model.description.task == "regression":
        np.testing.assert_allclose(table[["truth", "prediction"]], built.kept.loc[[9, 2]], atol=CLOSE, rtol=CLOSE)
    assert set(table["test row"]) == {9, 2}


def test_only_the_requested_test_samples_are_read(tmp_path: Path) -> None:
    save_test(image_input().validation, tmp_path / "test")
    batch = predict.take_test_samples([9, 2], tmp_path / "test")
    assert (len(batch), batch.names) == (2, {"test row": [9, 2]})


@pytest.mark.parametrize("built", [name for name, case in CASES.items() if case.data not in TABLES], indirect=True)
def test_files_are_plotted_with_the_predictions(built: Built, tmp_path: Path) -> None:
    model = built.model
    predict.check_can_plot(model.description)
    batch = join(predict.read(write_files(built.test.x[:3], model.description, tmp_path), model.description))
    figure = predict.plot_predictions(batch, model.predict(batch.x), model.description)
    figure.savefig(tmp_path / "plot.png")
    assert Image.open(tmp_path / "plot.png").width > 100


def test_boxes_are_in_pixels_of_the_original_image(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    built = build("detector", tmp_path_factory)
    model, image = built.model, Image.fromarray(built.test.x[1].squeeze())
    image.save(tmp_path / "small.png")
    image.resize((64, 32), Image.Resampling.NEAREST).save(tmp_path / "large.png")
    tables = []
    for name in ("small.png", "large.png"):
        batch = join(predict.read([tmp_path / name], model.description))
        tables.append(predict.prediction_table(batch, model.predict(batch.x), model.description))
    small, large = tables
    assert len(small) == len(large) >= 1
    factors = {"left": 4, "top": 2, "right": 4, "bottom": 2}
    for side, factor in factors.items():
        np.testing.assert_allclose(
            large[side], factor * small[side], atol=0.5
        )  # the image was sized back, so its edges are blurred


def test_rows_of_numbers_cannot_be_plotted() -> None:
    with pytest.raises(ModelyardError, match="leave it out"):
        predict.check_can_plot(tabular_input().description)


def test_a_wrong_class_is_titled_in_red_after_the_true_one() -> None:
    rows = image_input().validation.x[:2]
    batch = PredictionBatch({"test row": [0, 1]}, rows, truth=np.array([0, 1]))
    figure = predict.plot_predictions(batch, np.array([[0.75, 0.25], [0.625, 0.375]]), image_input().description)
    titles = [(axes.get_title(), axes.title.get_color()) for axes in figure.axes]
    assert titles == [("dark (75.0%)", "black"), ("bright/dark (62.5%)", "#C00000")]
    assert all(axes.images for axes in figure.axes)


def test_of_many_images_the_first_sixteen_are_plotted() -> None:
    rows = image_input().samples.x[:30]
    batch = PredictionBatch({"file": ["x.png"] * 30}, rows)
    figure = predict.plot_predictions(batch, np.tile([[0.1, 0.9]], (30, 1)), image_input().description)
    assert len([axes for axes in figure.axes if axes.images]) == 16
