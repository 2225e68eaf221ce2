"""`modelyard export`: what is exported answers as the model itself does, by its own example, without TensorFlow."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image
from support.inputs import describe, training_context

from modelyard import models
from modelyard.core.errors import ModelyardError
from modelyard.data.columns import Column
from modelyard.data.contract import describe_training
from modelyard.data.decision_threshold import DecisionThreshold
from modelyard.data.inputs import TrainingInput, refit, save_training
from modelyard.data.preprocessing import Imputation, Preprocessing
from modelyard.data.samples import Samples
from modelyard.models import EstimatorTraining, NetworkTraining, Runtime
from modelyard.models.families import linear, mlp, recurrent
from modelyard.serving import export, images
from modelyard.serving.conversion import convert_experiment

COLUMNS = (
    Column(name="area", kind="number"),
    Column(name="town", kind="category", categories=("Bonn", "Ulm")),
    Column(name="sold on", kind="date", parts=("year", "month")),
)
ESTIMATOR, NETWORK = (
    EstimatorTraining(seed=7),
    NetworkTraining(seed=0, epochs=1, loss="sparse_categorical_crossentropy"),
)


class Files:
    """The files of an experiment, as `engines.ExperimentFiles` finds them."""

    def __init__(self, model: models.Model, data: TrainingInput, folder: Path) -> None:
        self.name, self.model, self.model_folder, self._folder = "mine", model, folder / "model", folder
        self.model_folder.mkdir()
        model.save(self.model_folder)
        save_training(data, folder / "training")

    def contract_folder(self) -> Path | None:
        folder = self._folder / "contract"
        return folder if folder.exists() else None

    def onnx_file(self) -> Path:
        convert_experiment(self.model_folder, self._folder / "training", self._folder / "onnx", Runtime())
        return self._folder / "onnx" / "model.onnx"


def table_input() -> TrainingInput:
    random = np.random.default_rng(0)
    x = np.column_stack([random.normal(size=40), np.arange(40) % 2, random.integers(2000, 2020, 40), np.ones(40)])
    x[::7, 0], x[::9, 1] = np.nan, np.nan
    samples = Samples(x, np.arange(40.0))
    fill = tuple(Imputation(strategy=each) for each in ("median", "keep", "refuse", "refuse"))
    names = tuple(name for column in COLUMNS for name in column.features)
    learnt = Preprocessing(imputation=fill, min_frequency=1)
    description = describe(samples, features=names, columns=COLUMNS, preprocessing=learnt)
    return TrainingInput(refit(description.model_copy(update={"scaling": "standard"}), samples), samples)


def run_example(folder: Path, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "example.py", *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def fit(settings: object, training: object, data: TrainingInput, folder: Path) -> models.Model:
    return models.fit(settings, training, data, training_context(folder))[0]


def test_the_example_of_images_predicts_a_file(image_input, tmp_path):
    model = fit(linear.Settings(family="linear"), ESTIMATOR, image_input, tmp_path)
    written = export.export_model(Files(model, image_input, tmp_path), "onnx", tmp_path / "out")
    assert written == ["README.md", "example.py", "input.json", "model.onnx"]
    Image.fromarray(image_input.samples.x[1].squeeze()).save(tmp_path / "bright.png")
    name, probability = run_example(tmp_path / "out", str(tmp_path / "bright.png")).split()
    assert name == "bright"
    assert float(probability) == pytest.approx(model.predict(image_input.samples.x[1:2])[0, 1], rel=1e-4)


@pytest.mark.parametrize("mode", ["LA", "RGBA", "P", "I;16", "RGB", "1"])
def test_the_example_of_images_reads_any_mode_as_predict_does(mode, image_input, tmp_path):
    model = fit(linear.Settings(family="linear"), ESTIMATOR, image_input, tmp_path)
    export.export_model(Files(model, image_input, tmp_path), "onnx", tmp_path / "out")
    levels = np.arange(64, dtype=np.uint8).reshape(8, 8) * 2
    image = Image.fromarray(levels.astype(np.uint16) * 500) if mode == "I;16" else Image.fromarray(levels).convert(mode)
    if "A" in mode:
        image.putalpha(Image.fromarray(levels[::-1]))
    image.save(tmp_path / "image.png", **({"transparency": 3} if mode == "P" else {}))
    name, probability = run_example(tmp_path / "out", str(tmp_path / "image.png")).split()
    expected = model.predict(images.read([tmp_path / "image.png"], model.description).x)[0]
    assert name == model.description.classes[expected.argmax()]
    assert float(probability) == pytest.approx(expected.max(), rel=1e-4)


def test_the_example_refuses_pixels_of_32_bits_as_predict_does(image_input, tmp_path):
    model = fit(linear.Settings(family="linear"), ESTIMATOR, image_input, tmp_path)
    export.export_model(Files(model, image_input, tmp_path), "onnx", tmp_path / "out")
    Image.new("F", (8, 8)).save(tmp_path / "image.tiff")
    done = subprocess.run(
        [sys.executable, "example.py", str(tmp_path / "image.tiff")],
        cwd=tmp_path / "out",
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (1, "its pixels have 32 bits, and the value of white is unknown\n")


ALL_PARTS = ("year", "month", "weekday", "hour", "days")


@pytest.mark.parametrize(
    "parts, days, expected",
    [
        (ALL_PARTS, 17971.507, {"year": 2019, "month": 3, "weekday": 5, "hour": 12, "days": 17971.5}),
        (("year", "month", "weekday"), 0.0, {"year": 2019, "month": 3, "weekday": 4}),  # 2019-03-01
    ],
)
def test_the_example_row_has_a_date_of_the_training_samples_whose_parts_fit_together(parts, days, expected):
    column = Column(name="sold on", kind="date", parts=parts)
    samples = Samples(np.zeros((4, len(parts))), np.zeros(4))
    description = describe(samples, features=column.features, columns=(column,))
    medians = {"sold on year": 2019.0, "sold on month": 3.0, "sold on weekday": 2.0, "sold on days": days}
    assert export._example_row(description, medians) == {f"sold on {part}": expected[part] for part in parts}


def test_the_readme_says_what_each_part_of_a_date_is_and_the_row_is_like_training_samples(tmp_path):
    data = table_input()
    model = fit(linear.Settings(family="linear"), ESTIMATOR, data, tmp_path)
    describe_training(np.add(data.samples.x, [3, 0, 0, 0]), data.description).save(tmp_path / "contract")
    export.export_model(Files(model, data, tmp_path), "onnx", tmp_path / "out")
    readme = (tmp_path / "out" / "README.md").read_text()
    assert (
        "True as 1, and of a date its parts, in UTC:\n  - `sold on year`: with four digits\n"
        "  - `sold on month`: 1 to 12\n- output" in readme
    )
    code = (tmp_path / "out" / "example.py").read_text()
    row = json.loads(code.partition("row = ")[2].partition("inputs")[0])
    assert 2 < row["area"] < 4
    assert (2005 < row["sold on year"] < 2015, row["sold on month"]) == (True, 1.0)
    assert float(run_example(tmp_path / "out")) != 0


def test_the_example_of_texts_predicts_a_file(word_input, tmp_path):
    settings = recurrent.Settings(family="recurrent", vocabulary_size=12, units=3)
    model = fit(settings, NETWORK, word_input, tmp_path)
    files = Files(model, word_input, tmp_path)
    export.export_model(files, "onnx", tmp_path / "out")
    description = model.description.model_copy(update={"words": ("", "", "", *(f"w{n}" for n in range(3, 12)))})
    (tmp_path / "out" / "input.json").write_text(description.model_dump_json())
    (tmp_path / "text.txt").write_text("w5, w7 unheard")
    printed = run_example(tmp_path / "out", str(tmp_path / "text.txt")).split()
    expected = model.predict(np.uint16([[1, 5, 7, 2, 0, 0]]))[0]
    assert printed[0] == ("without", "with")[expected.argmax()]
    assert float(printed[1]) == pytest.approx(expected.max(), rel=1e-4)
    with pytest.raises(ModelyardError, match="mine cannot be exported as litert: LiteRT cannot run it, like the loop"):
        export.export_model(files, "litert", tmp_path / "phone")
    assert not (tmp_path / "phone").exists()


def test_a_table_has_an_input_for_each_column_with_categories_as_text_and_gaps(tmp_path):
    data = table_input()
    model = fit(linear.Settings(family="linear"), ESTIMATOR, data, tmp_path)
    export.export_model(Files(model, data, tmp_path), "onnx", tmp_path / "out")
    session = onnxruntime.InferenceSession(tmp_path / "out" / "model.onnx")
    names = {each.name: each.type for each in session.get_inputs()}
    double, text = "tensor(double)", "tensor(string)"
    assert names == {"area": double, "town": text, "sold on year": double, "sold on month": double}
    inputs = {
        "area": np.array([[0.5], [np.nan], [1], [2]]),
        "town": np.array([["Ulm"], ["Bonn"], [""], ["Rome"]]),
        "sold on year": np.full((4, 1), 2004.0),
        "sold on month": np.ones((4, 1)),
    }
    raw = np.array([[0.5, 1, 2004, 1], [np.nan, 0, 2004, 1], [1, np.nan, 2004, 1], [2, -1, 2004, 1]])
    np.testing.assert_allclose(session.run(None, inputs)[0], model.predict(raw), rtol=1e-4)
    assert float(run_example(tmp_path / "out")) != 0


def test_a_network_is_exported_for_litert_and_as_a_saved_model(tmp_path, regression_input):
    import tensorflow as tf

    named = regression_input.description.model_copy(update={"features": ("a", "b", "c")})
    data = TrainingInput(named, regression_input.samples)
    training = NetworkTraining(seed=0, epochs=1, loss="mse")
    model = fit(mlp.Settings(family="mlp", units=(3,)), training, data, tmp_path)
    files, x = Files(model, data, tmp_path), data.samples.x[:5].astype(np.float32)
    assert "model.tflite" in export.export_model(files, "litert", tmp_path / "phone")
    found = export.keras_formats.litert_answers(tmp_path / "phone" / "model.tflite", x)
    np.testing.assert_allclose(found, model.predict(x), rtol=1e-4)
    assert "model" in export.export_model(files, "saved_model", tmp_path / "server")
    served = tf.saved_model.load(tmp_path / "server" / "model" / "1").signatures["serving_default"](tf.constant(x))
    np.testing.assert_allclose(next(iter(served.values())), model.predict(x), rtol=1e-4)
    for folder in ("phone", "server"):
        compile((tmp_path / folder / "example.py").read_text(), "example.py", "exec")


def test_a_network_of_a_table_with_dates_and_categories_is_exported_for_litert(tmp_path):
    data = table_input()
    training = NetworkTraining(seed=0, epochs=1, loss="mse")
    model = fit(mlp.Settings(family="mlp", units=(3,)), training, data, tmp_path)
    assert "model.tflite" in export.export_model(Files(model, data, tmp_path), "litert", tmp_path / "phone")


def test_an_estimator_is_no_network_and_a_folder_with_files_is_left_alone(regression_input, tmp_path):
    model = fit(linear.Settings(family="linear"), ESTIMATOR, regression_input, tmp_path)
    files = Files(model, regression_input, tmp_path)
    with pytest.raises(
        ModelyardError, match="as litert: this format is for networks, and this model is scikit-learn's"
    ):
        export.export_model(files, "litert", tmp_path / "out")
    with pytest.raises(ModelyardError, match="model is not an empty folder"):
        export.export_model(files, "onnx", files.model_folder)


@pytest.mark.parametrize("form", ["onnx", "litert", "saved_model"])
def test_no_example_mentions_tensorflow_and_a_threshold_is_used(form, image_input):
    plain = export.example(image_input.description, form, "uint8", {})
    assert "tensorflow" not in plain
    threshold = DecisionThreshold(value=0.25, goal="f1", validation_samples=9, validation=0.9, validation_at_half=0.8)
    decided = export.example(image_input.description.model_copy(update={"threshold": threshold}), form, "uint8", {})
    assert "0.25" in decided
    for text in (plain, decided):
        compile(text, "example.py", "exec")
        assert len(text.splitlines()) <= 25
