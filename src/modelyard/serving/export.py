"""Models for other programs: a folder with the model, a README, and an example that needs no TensorFlow."""

import json
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from modelyard import models
from modelyard.core.errors import ModelyardError
from modelyard.core.files import atomic_folder, write_text
from modelyard.data.contract import Reference
from modelyard.data.inputs import WHITE, InputDescription, load_description, save_description
from modelyard.data.readers.image_file import LARGE, MODES, SIXTEEN_TO_EIGHT_BITS
from modelyard.data.readers.reuters import RARER, START
from modelyard.models.engine.keras_model import FILE as NETWORK_FILE
from modelyard.models.engine.keras_model import KerasModel
from modelyard.models.export import NotConvertible, keras_formats
from modelyard.models.export.named_columns import EXAMPLES, load_with_named_columns, value_examples
from modelyard.models.export.sklearn_onnx import raw_dtype
from modelyard.serving.batch import kind_of
from modelyard.serving.conversion import compare
from modelyard.serving.images import format_of
from modelyard.serving.onnx_model import FILE
from modelyard.serving.texts import WORD

if TYPE_CHECKING:
    from modelyard.serving.engines import ExperimentFiles

Format = Literal["onnx", "litert", "saved_model"]
README, EXAMPLE = "README.md", "example.py"
LITERT_FILE, SAVED_MODEL = "model.tflite", "model/1"  # TensorFlow Serving takes the highest number
RANDOM_SAMPLES = 20
MEDIAN = "50"  # of the quantiles of a contract
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

PARTS = {
    "year": "with four digits",
    "month": "1 to 12",
    "weekday": "0 is Monday, 6 Sunday",
    "hour": "0 to 23",
    "days": "days since 1970-01-01, of a date with a time in fractions",
}

PACKAGES = {"onnx": "onnxruntime", "litert": "ai-edge-litert", "saved_model": ""}
IMPORTS = {
    "onnx": "import onnxruntime",
    "litert": "from ai_edge_litert.interpreter import Interpreter",
    "saved_model": "from urllib.request import urlopen",
}
PREDICTING = {
    "onnx": """\
model = onnxruntime.InferenceSession("model.onnx")
(predictions,) = model.run(None, inputs)
""",
    "litert": """\
model = Interpreter("model.tflite")
model.allocate_tensors()
model.set_tensor(model.get_input_details()[0]["index"], inputs["raw"])
model.invoke()
predictions = model.get_tensor(model.get_output_details()[0]["index"])
""",
    "saved_model": """\
request = json.dumps({"instances": inputs["raw"].tolist()}).encode()
answer = json.load(urlopen("http://localhost:8501/v1/models/model:predict", request))
predictions = np.array(answer["predictions"])
""",
}
USE = {
    "onnx": "`model.onnx` is for [ONNX Runtime](https://onnxruntime.ai), in Python, C, C++, C#, Java or JavaScript. "
    "Its own builds send usage data to Microsoft unless the variable ORT_DISABLE_TELEMETRY is 1.",
    "litert": "`model.tflite` is for [LiteRT](https://ai.google.dev/edge/litert), formerly TensorFlow Lite, on phones "
    "and other small devices.",
    "saved_model": "`model/1` is a SavedModel. TensorFlow Serving answers over HTTP, and the client needs no "
    "TensorFlow:\n\n```sh\ndocker run -p 8501:8501 -v $PWD/model:/models/model tensorflow/serving\n```",
}
PREDICTIONS = {
    "classification": "probabilities of the classes",
    "regression": "values in the unit of the target",
    "reconstruction": "reconstructions, in scaled units",
    "detection": "cells: of each its objectness, the center of its box within the cell (x, y), the width and height of "
    "the box relative to the image, and the probabilities of the classes",
}
PRINTING = {
    "classification": 'print(description["classes"][predictions[0].argmax()], predictions[0].max())\n',
    "regression": "print(predictions[0])\n",
    "reconstruction": "print(predictions[0].shape)\n",
    "detection": "print(predictions[0][predictions[0, ..., 0] > 0.5])  # the cells that hold an object\n",
}


LARGE_IMAGES = (
    " The example makes a sample of an image file as `modelyard predict` does; only JPEG files and images of more than "
    f"{LARGE // 10**6} million pixels, which that reads at a reduced size, can give slightly other pixels."
)


def export_model(experiment: "ExperimentFiles", form: Format, folder: Path) -> list[str]:
    """Write a model in a format, with a README and an example; return the names of the files.

    Raises:
        ModelyardError: the folder is there and not empty, or the model cannot be converted to the format.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ModelyardError(f"{folder} is not an empty folder: name one that does not exist")
    source = experiment.onnx_file().parent if form == "onnx" else experiment.model_folder
    description = load_description(experiment.model_folder)
    with atomic_folder(folder) as temporary:
        try:
            _WRITERS[form](source, description, temporary)
        except NotConvertible as reason:
            raise ModelyardError(f"{experiment.name} cannot be exported as {form}: {reason}") from None
        save_description(description, temporary)
        is_network = (experiment.model_folder / NETWORK_FILE).exists()
        dtype = description.network_dtype if is_network else raw_dtype(description)
        write_text(temporary / EXAMPLE, example(description, form, dtype, _medians(experiment)))
        write_text(temporary / README, readme(experiment.name, description, form, dtype))
        return sorted(path.relative_to(temporary).as_posix() for path in temporary.iterdir())


def _medians(experiment: "ExperimentFiles") -> dict[str, float]:
    """The medians of the training samples' numbers, by feature; none if the pipeline has built no contract."""
    try:
        folder = experiment.contract_folder()
        features = Reference.load(folder).features if folder else ()
    except ModelyardError:  # an example is not worth a refusal
        return {}
    return {feature.name: feature.quantiles[MEDIAN] for feature in features if feature.quantiles}


def _write_onnx(source: Path, description: InputDescription, folder: Path) -> None:
    for file in source.glob("*.onnx"):
        shutil.copyfile(file, folder / file.name)
    if description.features:
        named = load_with_named_columns(source / FILE, description)
        (folder / FILE).write_bytes(named.SerializeToString(deterministic=True))


def _write_litert(source: Path, description: InputDescription, folder: Path) -> None:
    model, samples = _network(source), _random_samples(description)
    keras_formats.save_litert(model, folder / LITERT_FILE)
    compare(keras_formats.litert_answers(folder / LITERT_FILE, samples), model.predict(samples))


def _write_saved_model(source: Path, _: InputDescription, folder: Path) -> None:
    keras_formats.save_saved_model(_network(source), folder / SAVED_MODEL)


_WRITERS = {"onnx": _write_onnx, "litert": _write_litert, "saved_model": _write_saved_model}


def _network(folder: Path) -> KerasModel:
    model = models.load(folder)
    if not isinstance(model, KerasModel):
        raise NotConvertible("this format is for networks, and this model is scikit-learn's: take onnx")
    return model


def _random_samples(description: InputDescription) -> np.ndarray:
    """Samples of the right type around the middle of the scaling, on which answers are compared."""
    random, shape = np.random.default_rng(0), (RANDOM_SAMPLES, *description.shape)
    if np.dtype(description.dtype).kind == "u":
        highest = len(description.words) or int(description.white_level) + 1
        return random.integers(0, highest, shape).astype(description.dtype)
    if description.preprocessing:
        return np.abs(random.normal(size=shape)).round()
    offset, scale = description.scaler.as_arrays(description.shape)
    return np.asarray(random.normal(size=shape) * scale + offset)


def readme(name: str, description: InputDescription, form: Format, dtype: str) -> str:
    """Say what the model takes and returns, and how to run the example."""
    packages = " ".join(filter(None, ["numpy", PACKAGES[form], "pillow" if kind_of(description) == "image" else ""]))
    classes = f" {', '.join(description.classes)}" if description.classes else ""
    lines = [
        f"# {name}",
        f"A model for {description.task}, trained on the data set {description.dataset}. Its scaling is inside: it "
        "takes raw samples.",
        USE[form],
        f"- input: {_inputs(description, form, dtype)}",
        f"- output `predictions`: {PREDICTIONS[description.task]}{classes}",
        "- `input.json`: everything that is known of the input, such as classes and the scaling inside",
        "For the same samples the answers equal those of the trained model to a relative difference of 1e-4."
        + (LARGE_IMAGES if kind_of(description) == "image" else "")
        + " An example without TensorFlow:",
        f"```sh\npip install {packages}\npython {EXAMPLE}{_argument(description)}\n```",
    ]
    if threshold := description.threshold:
        lines.append(
            f"Class {description.classes[1]} is to be predicted from a probability of {threshold.value:.6g} on, not of "
            "0.5: this threshold was chosen on validation samples."
        )
    return "\n\n".join(lines).replace("\n\n- ", "\n- ").replace("\n- input", "\n\n- input", 1) + "\n"


def _inputs(description: InputDescription, form: Format, dtype: str) -> str:
    parts = "".join(
        f"\n  - `{column.name} {part}`: {PARTS[part]}" for column in description.columns for part in column.parts
    )
    if description.features and form == "onnx":
        dates = ", and of a date its parts, in UTC:" if parts else ""
        return (
            "one array (samples, 1) for each column of the table, by its name: numbers as float64 with NaN for a gap, "
            f'categories as text with "" for a gap, True as 1{dates}{parts}'
        )
    shape = " x ".join(map(str, description.shape))
    of_features = f": {', '.join(description.features)}" if description.features else ""
    dates = "; the parts of dates are in UTC:" if parts else ""
    return f"`raw`, {dtype} of shape samples x {shape}{of_features}{dates}{parts}"


def _argument(description: InputDescription) -> str:
    return {"text": " text.txt", "image": " image.png", "table": ""}[kind_of(description)]


def example(description: InputDescription, form: Format, dtype: str, medians: Mapping[str, float]) -> str:
    """A program of about ten lines that reads one sample, or has one of these values, and prints its prediction."""
    kind = kind_of(description)
    needed = ["import json", *_IMPORTS_OF[kind]]
    own = [*sorted(needed), "", "import numpy as np", IMPORTS[form]]
    if kind == "image":
        own.append("from PIL import Image, ImageOps")
    if kind == "table":
        reading = _table(description, form, dtype, medians)
    else:
        reading = (_text if kind == "text" else _image)(description, dtype)
    printing = PRINTING[description.task]
    if threshold := description.threshold:
        printing = f"is_second = predictions[0][1] >= {threshold.value!r}\n"
        printing += 'print(description["classes"][int(is_second)], predictions[0])\n'
    return (
        "\n".join(own)
        + '\n\ndescription = json.load(open("input.json", "rb"))\n'
        + reading
        + PREDICTING[form]
        + printing
    )


def _image(description: InputDescription, dtype: str) -> str:
    image_format = format_of(description)
    height, width, channels = description.shape
    fits = {"stretch": "image.resize({})", "letterbox": "ImageOps.pad(image, {})", "crop": "ImageOps.fit(image, {})"}
    fitted = fits[image_format.fit].format((width, height))
    white = description.white_level
    is_raw = description.image_format or white == WHITE
    factor = "" if is_raw else f" / {WHITE} * {white:g}"
    shape = (1, height, width, channels)
    pixels = f"np.asarray({fitted}).reshape({shape}){factor}"
    rounded = f"np.rint({pixels})" if factor and np.dtype(description.dtype).kind == "u" else pixels
    return (
        "image = ImageOps.exif_transpose(Image.open(sys.argv[1]))\n"
        'if image.mode in ("I", "F"):\n    sys.exit("its pixels have 32 bits, and the value of white is unknown")\n'
        'if image.mode.startswith("I;16"):\n'
        f'    image = Image.fromarray((np.asarray(image) // {SIXTEEN_TO_EIGHT_BITS}).astype("uint8"))\n'
        "if image.has_transparency_data:\n"
        '    white = Image.new("RGBA", image.size, "white")\n'
        '    image = Image.alpha_composite(white, image.convert("RGBA"))\n'
        f'image = image.convert("{MODES[image_format.colour]}")\n'
        f'inputs = {{"raw": {rounded}.astype("{dtype}")}}\n'
    )


def _text(description: InputDescription, dtype: str) -> str:
    (length,) = description.shape
    return (
        'numbers = {word: number for number, word in enumerate(description["words"]) if word}\n'
        f'words = re.findall(r"{WORD.pattern}", open(sys.argv[1], encoding="utf-8-sig").read().lower())\n'
        f"sample = [{START}, *(numbers.get(word, {RARER}) for word in words)][:{length}]\n"
        f'inputs = {{"raw": np.zeros((1, {length}), "{dtype}")}}\n'
        'inputs["raw"][0, : len(sample)] = sample\n'
    )


def _table(description: InputDescription, form: Format, dtype: str, medians: Mapping[str, float]) -> str:
    values = _example_row(description, medians)
    if form == "onnx" and description.features:
        row = json.dumps(values, ensure_ascii=False, indent=4)
        return f"row = {row}\ninputs = {{name: np.array([[value]]) for name, value in row.items()}}\n"
    numbers = [value if isinstance(value, float) else 0.0 for value in values.values()]
    if not description.features:
        numbers = [0.0] * int(np.prod(description.shape))
    return f'inputs = {{"raw": np.array([{numbers}], "{dtype}")}}\n'


def _example_row(description: InputDescription, medians: Mapping[str, float]) -> dict[str, float | str]:
    """A value for each feature; the parts of a date are those of one moment."""
    values = value_examples(description)
    values |= {name: float(f"{medians[name]:.4g}") for name in values if name in medians}
    for column in description.columns:
        parts = {part: medians.get(f"{column.name} {part}", EXAMPLES[part]) for part in column.parts}
        if "days" in parts:
            moment = (EPOCH + timedelta(days=parts["days"])).replace(minute=0, second=0, microsecond=0)
        else:
            year, month, hour = (int(parts.get(part, EXAMPLES[part])) for part in ("year", "month", "hour"))
            moment = datetime(year, month, 1, hour, tzinfo=UTC)
        of_moment = {
            "year": moment.year,
            "month": moment.month,
            "weekday": moment.weekday(),
            "hour": moment.hour,
            "days": (moment - EPOCH) / timedelta(days=1),
        }
        values |= {f"{column.name} {part}": float(of_moment[part]) for part in parts}
    return values


_IMPORTS_OF = {"image": ["import sys"], "text": ["import re", "import sys"], "table": []}
