"""Predictions for files and test samples equal those of the pipeline."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from support.inputs import describe

from modelyard import models, tracking
from modelyard.core.config import Settings
from modelyard.core.errors import ModelyardError
from modelyard.core.files import write_table
from modelyard.data import scaling
from modelyard.data.inputs import InputDescription, TrainingInput, save_test, save_training
from modelyard.data.samples import Samples
from modelyard.data.scaling import Scaler
from modelyard.experiments import evaluate, train
from modelyard.metrics import detection
from modelyard.models import EstimatorTraining, Model, NetworkTraining, Runtime
from modelyard.models.engine import box_coding
from modelyard.models.families import autoencoder, baseline, boosting, cnn, detector, linear, mlp, recurrent, transfer
from modelyard.params.project import EstimatorExperiment, NetworkExperiment, TransferExperiment
from modelyard.serving import predict
from modelyard.serving.batch import PredictionBatch

CLOSE = 1e-5


def values() -> TrainingInput:
    """60 standardised rows of 3 named features on a line with a little noise."""
    random = np.random.default_rng(0)
    x = random.normal(scale=(1, 10, 100), size=(60, 3))
    rows = Samples(x, x @ np.array([1.0, -0.2, 0.05]) + 3 + random.normal(scale=0.1, size=60))
    scaler = scaling.fit("standard", x[:48])
    return TrainingInput(describe(rows, 12, features=("a", "b", "c"), scaling="standard", scaler=scaler), rows)


def images(top: int = 255, channels: int = 1) -> TrainingInput:
    """80 images of 8 x 8 pixels from 0 to `top`, the bright ones in a class of their own."""
    random, y = np.random.default_rng(0), np.arange(80) % 2
    x = random.integers(0, top // 2, size=(80, 8, 8, channels)) + (top // 2) * y[:, None, None, None]
    x[0, 0, 0], x[1, 0, 0] = 0, top
    rows = Samples(x.astype(np.uint8), y.astype(np.uint8))
    scaling, scaler = ("pixels", Scaler(scale=(255.0,))) if top == 255 else ("minmax", Scaler(scale=(float(top),)))
    return TrainingInput(describe(rows, 16, ("dark", "bright"), scaling=scaling, scaler=scaler), rows)


def texts() -> TrainingInput:
    """80 texts of up to 6 word numbers as Reuters has them: 1 to begin with, 2 for unknown words, 0 for padding."""
    random, y = np.random.default_rng(0), np.arange(80) % 2
    x = random.integers(6, 12, size=(80, 7))
    x[:, 0], x[:, 2] = 1, np.where(y, 4, 5)
    x[::3, 3] = 2
    x[np.arange(7) >= random.integers(4, 8, size=(80, 1))] = 0
    rows = Samples(x.astype(np.uint16), y.astype(np.uint8))
    words = ("", "", "…", "", "oil", "wheat", "the", "u", "s", "don't", "8", "mln")
    return TrainingInput(describe(rows, 16, ("energy", "food"), words=words), rows)


def boxes() -> TrainingInput:
    """60 images of 16 x 16 pixels with one bright square in each, small ones in a class of their own."""
    random = np.random.default_rng(0)
    x, y = np.zeros((60, 16, 16, 1), np.uint8), np.zeros((60, 1, 5), np.float32)
    for number, (image, (box,)) in enumerate(zip(x, y, strict=True)):
        size = 4 if number % 2 else 8
        left, top = random.integers(0, 16 - size, size=2)
        image[top : top + size, left : left + size] = 255
        box[:] = number % 2, left, top, left + size, top + size
    rows, scaler = Samples(x, y), Scaler(scale=(255.0,))
    changes = {"task": "detection", "scaling": "pixels", "scaler": scaler}
    return TrainingInput(describe(rows, 10, ("large", "small"), **changes), rows)


def network(loss: str, **changes: object) -> NetworkTraining:
    return NetworkTraining(**({"seed": 7, "epochs": 3, "batch_size": 16, "loss": loss} | changes))


@dataclass(frozen=True)
class Case:
    data: Callable[[], TrainingInput]
    model: Settings
    training: Settings
    backbone: str = ""


SPARSE = "sparse_categorical_crossentropy"
ONCE = EstimatorTraining(seed=7)
CASES = {
    "mlp of values": Case(values, mlp.Settings(family="mlp", units=(5,)), network("mse")),
    "mlp of images": Case(images, mlp.Settings(family="mlp", units=(5,)), network("binary_crossentropy")),
    "cnn": Case(images, cnn.Settings(family="cnn", filters=(3,), units=(4,)), network(SPARSE)),
    "recurrent": Case(
        texts, recurrent.Settings(family="recurrent", vocabulary=12, embedding=4, layer="gru", units=5), network(SPARSE)
    ),
    "autoencoder": Case(images, autoencoder.Settings(family="autoencoder", codes=4), network("mse")),
    "detector": Case(
        boxes,
        detector.Settings(family="detector", filters=(8, 8, 8), context=(8,)),
        network("detection", epochs=60, learning_rate=0.01),
    ),
    "transfer": Case(images, transfer.Settings(family="transfer", backbone="cnn"), network(SPARSE), backbone="cnn"),
    "linear of values": Case(values, linear.Settings(family="linear"), ONCE),
    "linear of images": Case(images, linear.Settings(family="linear"), ONCE),
    "boosting of values": Case(values, boosting.Settings(family="boosting", trees=10), ONCE),
    "boosting of images": Case(images, boosting.Settings(family="boosting", trees=10), ONCE),
    "baseline": Case(images, baseline.Settings(family="baseline"), ONCE),
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


# --- the model file alone ---


def without_our_code(folder: Path, rows: np.ndarray) -> np.ndarray:
    """What the libraries that wrote a model file make of it, given raw rows."""
    if (folder / "model.keras").exists():
        import keras

        return keras.saving.load_model(folder / "model.keras", compile=False).predict(rows, verbose=0)
    import skops.io

    pipeline = skops.io.load(folder / "model.skops", trusted=["sklearn.tree._tree.Tree"])
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


# --- files ---


def write_files(rows: np.ndarray, description: InputDescription, folder: Path) -> list[Path]:
    """Samples as a person would have them: pictures, texts, or one table."""
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
    batch = predict.read(write_files(built.test.x, model.description, tmp_path), model.description)
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


def test_only_the_requested_test_samples_are_read(image_input: TrainingInput, tmp_path: Path) -> None:
    save_test(image_input.validation, tmp_path / "test")
    batch = predict.take_test_samples([9, 2], tmp_path / "test")
    assert (len(batch), batch.names) == (2, {"test row": [9, 2]})


@pytest.mark.parametrize("built", [name for name, case in CASES.items() if case.data is not values], indirect=True)
def test_files_are_plotted_with_the_predictions(built: Built, tmp_path: Path) -> None:
    model = built.model
    predict.check_can_plot(model.description)
    batch = predict.read(write_files(built.test.x[:3], model.description, tmp_path), model.description)
    figure = predict.plot_predictions(batch, model.predict(batch.x), model.description)
    figure.savefig(tmp_path / "picture.png")
    assert Image.open(tmp_path / "picture.png").width > 100


# --- images ---

GREY = describe(
    Samples(images().samples.x, images().samples.y),
    classes=("dark", "bright"),
    scaling="pixels",
    scaler=Scaler(scale=(255.0,)),
)


def read_image(
    image: Image.Image, tmp_path: Path, description: InputDescription = GREY, ending: str = "png"
) -> PredictionBatch:
    image.save(tmp_path / f"image.{ending}")
    return predict.read([tmp_path / f"image.{ending}"], description)


def test_an_image_of_the_right_shape_is_read_unchanged_without_warnings(tmp_path: Path) -> None:
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    batch = read_image(Image.fromarray(pixels), tmp_path)
    np.testing.assert_array_equal(batch.x[0, :, :, 0], pixels)
    assert (batch.warnings, batch.errors, batch.x.dtype) == ((), (), np.uint8)


@pytest.mark.parametrize(
    "mode, size, told",
    [
        ("RGB", (8, 8), "to grey"),
        ("L", (32, 32), "size from 32 x 32 to 8 x 8"),
        ("RGB", (20, 10), "size from 20 x 10 to 8 x 8, which changes its proportions, to grey"),
        ("CMYK", (8, 8), "to grey"),
        ("1", (8, 8), ""),
        ("I;16", (8, 8), ""),
    ],
)
def test_a_conversion_of_an_image_is_a_warning_and_white_stays_white(
    mode: str, size: tuple[int, int], told: str, tmp_path: Path
) -> None:
    white = {"RGB": (255,) * 3, "L": 255, "CMYK": (0,) * 4, "1": 1, "I;16": 65535}[mode]
    batch = read_image(Image.new(mode, size, white), tmp_path, ending="tif")
    assert batch.warnings == ((f"{tmp_path}/image.tif: {told}",) if told else ())
    assert batch.x.min() == 255


def test_transparent_pixels_become_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 4, 8))
    batch = read_image(image, tmp_path)
    np.testing.assert_array_equal(batch.x[0, 0, :, 0], [0, 0, 0, 0, 255, 255, 255, 255])
    assert "transparent pixels to white" in batch.warnings[0]


def test_white_is_scaled_to_the_range_of_the_training_images(tmp_path: Path) -> None:
    of_16 = images(top=16)
    pixels = of_16.samples.x[0, :, :, 0]
    batch = read_image(Image.fromarray(np.rint(pixels / 16 * 255).astype(np.uint8)), tmp_path, of_16.description)
    np.testing.assert_array_equal(batch.x[0, :, :, 0], pixels)
    assert "white from 255 to 16" in batch.warnings[0]


def test_a_grey_image_is_converted_for_a_model_of_colour_images(tmp_path: Path) -> None:
    batch = read_image(Image.new("L", (8, 8), 7), tmp_path, images(channels=3).description)
    np.testing.assert_array_equal(batch.x, np.full((1, 8, 8, 3), 7))
    assert batch.warnings == (f"{tmp_path}/image.png: to colour",)


def test_the_orientation_in_exif_is_applied(tmp_path: Path) -> None:
    image = Image.new("L", (8, 8))
    image.paste(255, (0, 0, 8, 4))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
    image.save(tmp_path / "image.png", exif=exif)
    batch = predict.read([tmp_path / "image.png"], GREY)
    assert (batch.x[0, :, 4:] == 255).all() and (batch.x[0, :, :4] == 0).all()


def test_unreadable_images_are_errors_and_the_others_are_read(tmp_path: Path) -> None:
    Image.new("L", (300, 300), 50).save(tmp_path / "good.png")
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "empty.png").touch()
    (tmp_path / "cut.png").write_bytes((tmp_path / "good.png").read_bytes()[:100])
    (tmp_path / "folder.png").mkdir()
    Image.new("F", (8, 8), 0.5).save(tmp_path / "float.tif")
    names = ["text.png", "good.png", "empty.png", "cut.png", "folder.png", "float.tif", "absent.png"]
    batch = predict.read([tmp_path / name for name in names], GREY)
    assert batch.names == {"file": [str(tmp_path / "good.png")]}
    assert len(batch) == 1
    assert [text.split(": ")[0].rpartition("/")[2] for text in batch.errors] == [n for n in names if n != "good.png"]
    assert batch.errors[-1].endswith("absent.png: no such file")
    assert "32 bits" in batch.errors[-2]


def test_boxes_are_in_pixels_of_the_original_image(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    built = build("detector", tmp_path_factory)
    model, image = built.model, Image.fromarray(built.test.x[1].squeeze())
    image.save(tmp_path / "small.png")
    image.resize((64, 32), Image.Resampling.NEAREST).save(tmp_path / "large.png")
    tables = []
    for name in ("small.png", "large.png"):
        batch = predict.read([tmp_path / name], model.description)
        tables.append(predict.prediction_table(batch, model.predict(batch.x), model.description))
    small, large = tables
    assert len(small) == len(large) >= 1
    factors = {"left": 4, "top": 2, "right": 4, "bottom": 2}
    for side, factor in factors.items():
        np.testing.assert_allclose(
            large[side], factor * small[side], atol=0.5
        )  # the image was sized back, so its edges are blurred


# --- tables ---

OF_VALUES = values().description


def read_table(content: str, tmp_path: Path, name: str = "rows.csv") -> PredictionBatch:
    (tmp_path / name).write_bytes(content.encode())
    return predict.read([tmp_path / name], OF_VALUES)


def test_columns_are_found_by_name_in_any_order_and_unused_ones_are_a_warning(tmp_path: Path) -> None:
    batch = read_table("price,c, a,b\n9,3,1,2\n\n9,6,4,5\n", tmp_path)
    np.testing.assert_array_equal(batch.x, [[1, 2, 3], [4, 5, 6]])
    assert batch.names == {"row": [1, 2]}
    assert batch.warnings == (f"{tmp_path}/rows.csv: unused columns: price",)
    assert batch.errors == ()


@pytest.mark.parametrize(
    "line, told",
    [
        ("4,5", "2 values, the header has 3 columns"),
        ("4,5,6,7", "4 values, the header has 3 columns"),
        ("4,,6", "'' in column b, where a number belongs"),
        ("4,nan,6", "'nan' in column b, where a number belongs"),
        ("4,5,inf", "'inf' in column c, where a number belongs"),
        ("4,5,1e39", "'1e39' in column c, where a number belongs"),
        ("four,5,6", "'four' in column a, where a number belongs"),
    ],
)
def test_a_malformed_row_is_an_error_and_the_others_are_read(line: str, told: str, tmp_path: Path) -> None:
    batch = read_table(f"a,b,c\n1,2,3\n{line}\n7,8,9\n", tmp_path)
    np.testing.assert_array_equal(batch.x, [[1, 2, 3], [7, 8, 9]])
    assert batch.names == {"row": [1, 3]}
    assert batch.errors == (f"{tmp_path}/rows.csv: row 2 below the header: {told}",)


@pytest.mark.parametrize(
    "content, told",
    [
        ("a,c\n1,3\n", "1 of 3 columns are missing: b. The header must name them; it names a, c"),
        ("1,2,3\n4,5,6\n", "3 of 3 columns are missing: a, b, c"),
        ("a,b,c,b\n1,2,3,4\n", "the header names column b 2 times"),
        ("", "it is empty"),
        ('a,b,c\n1,"2,3\n', "not a CSV table in UTF-8"),
    ],
)
def test_a_malformed_table_is_an_error(content: str, told: str, tmp_path: Path) -> None:
    batch = read_table(content, tmp_path)
    assert len(batch) == 0
    (refused,) = batch.errors
    assert refused.startswith(f"{tmp_path}/rows.csv: ")
    assert told in refused


def test_a_malformed_table_does_not_stop_the_next_from_being_read(tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_bytes("\ufeffa,b,c\r\n1,2,3\r\n".encode())
    (tmp_path / "image.png").write_bytes(b"\x89PNG\xff")
    files = [tmp_path / name for name in ("image.png", "good.csv", "absent.csv")]
    batch = predict.read(files, OF_VALUES)
    assert batch.names == {"file": [str(tmp_path / "good.csv")], "row": [1]}
    np.testing.assert_array_equal(batch.x, [[1, 2, 3]])
    assert [text.split(": ")[0] for text in batch.errors] == [str(files[0]), str(files[2])]


# --- texts ---


def test_a_text_is_encoded_like_the_newswires(tmp_path: Path) -> None:
    (tmp_path / "news.txt").write_text("The U.S. don't -- Oil?! of_wheat; 8 mln")
    batch = predict.read([tmp_path / "news.txt"], texts().description)
    assert batch.x.tolist() == [[1, 6, 7, 8, 9, 4, 2]]
    assert batch.warnings == (f"{tmp_path}/news.txt: 6 of 9 words were read, 1 of them unknown to the model",)


def test_texts_without_words_are_errors(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("...")
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\xfa")
    files = [tmp_path / name for name in ("empty.txt", "bytes.txt", "absent.txt")]
    batch = predict.read(files, texts().description)
    assert len(batch) == 0
    assert [text.split(": ")[0] for text in batch.errors] == [str(file) for file in files]


# --- the rest ---


def test_rows_of_numbers_cannot_be_plotted() -> None:
    with pytest.raises(ModelyardError, match="leave it out"):
        predict.check_can_plot(OF_VALUES)


def test_a_wrong_class_is_titled_in_red_after_the_true_one() -> None:
    rows = images().validation.x[:2]
    batch = PredictionBatch({"test row": [0, 1]}, rows, truth=np.array([0, 1]))
    figure = predict.plot_predictions(batch, np.array([[0.75, 0.25], [0.625, 0.375]]), GREY)
    titles = [(axes.get_title(), axes.title.get_color()) for axes in figure.axes]
    assert titles == [("dark (75.0%)", "black"), ("bright/dark (62.5%)", "#C00000")]
    assert all(axes.images for axes in figure.axes)


def test_of_many_images_the_first_sixteen_are_plotted() -> None:
    rows = images().samples.x[:30]
    batch = PredictionBatch({"file": ["x.png"] * 30}, rows)
    figure = predict.plot_predictions(batch, np.tile([[0.1, 0.9]], (30, 1)), GREY)
    assert len([axes for axes in figure.axes if axes.images]) == 16
