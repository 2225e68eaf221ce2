"""Requests to a server: their raw rows, images or texts as samples, and a model's answers as JSON."""

import binascii
import json
import re
import reprlib
import sys
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np

from modelyard.data.inputs import InputDescription
from modelyard.data.readers.image_file import KINDS, MOST_PIXELS
from modelyard.data.samples import TARGET_KINDS
from modelyard.serving import images, tables, texts
from modelyard.serving.batch import PredictionBatch, Unreadable, kind_of, stack
from modelyard.serving.predictions import prediction_columns

MOST_SAMPLES = 1000  # of a request; more are for `modelyard predict`
NAMED = 5  # rows that an error names
LONGEST = 1000  # characters of a name, an error or a warning: it may quote an input of any length
# How an error ends with what the owner of the data set may write into params.yaml, which a client cannot.
FOR_OWNERS = re.compile(r"; (if [^;]*, add `|the data set says `).*", re.DOTALL)
FOR_CLIENTS = "; send null where there is no value"


class PredictionRequest(NamedTuple):
    """The samples of a request.

    Attributes:
        key: of the request that holds them.
        samples: rows, texts, or the bytes of image files.
    """

    key: str
    samples: list[Any]

    def as_json(self) -> dict[str, list[Any]]:
        """The request in JSON; an image or a text that was sent by itself as a list of one."""
        return {self.key: [b64encode(each).decode() if isinstance(each, bytes) else each for each in self.samples]}


def key_of(description: InputDescription) -> str:
    """The key of a request that holds its samples."""
    return {"text": "texts", "image": "images", "table": "rows"}[kind_of(description)]


def parse(body: bytes, content_type: str, description: InputDescription) -> PredictionRequest:
    """Find the samples in the body of a request: JSON, or the bytes of one image or text.

    Raises:
        Unreadable: it says what is wrong, and what would be right.
    """
    key = key_of(description)
    if not _is_alone(content_type, key):
        return from_json(_json(body, description), description)
    if key == "texts" and _is_request(body):
        raise Unreadable("the body is JSON, and its Content-Type says plain text: send it as application/json")
    return PredictionRequest(key, [body if key == "images" else _decoded(body)])


def from_json(given: Any, description: InputDescription) -> PredictionRequest:
    """Find the samples in a request in JSON, as `parse` does."""
    key = key_of(description)
    if not isinstance(given, dict) or given.keys() != {key} or not isinstance(given[key], list):
        raise Unreadable(f"the body must be {request_text(description)}")
    samples = given[key]
    if not 1 <= len(samples) <= MOST_SAMPLES:
        raise Unreadable(f"{key} has {len(samples)} entries: send 1 to {MOST_SAMPLES}")
    return PredictionRequest(key, list(map(_image_file, range(len(samples)), samples)) if key == "images" else samples)


def count_pixels(request: PredictionRequest) -> int:
    """Return the number of pixels of all images, by the beginnings of their files; an unreadable one has none.

    Raises:
        Unreadable: several images have more than are decoded of one.
    """
    pixels = sum(map(_pixels, request.samples)) if request.key == "images" else 0
    if pixels > MOST_PIXELS and len(request.samples) > 1:
        raise Unreadable(
            f"the images have {pixels / 1e6:.0f} million pixels, and a request may have {MOST_PIXELS // 10**6} "
            "million: send fewer at once, or scale them down"
        )
    return pixels


def read(request: PredictionRequest, description: InputDescription) -> PredictionBatch:
    """Convert the samples of a request for a model, as `parse` does."""
    return _READERS[request.key](request.samples, description)


def answers(batch: PredictionBatch, outputs: np.ndarray, description: InputDescription) -> list[Any]:
    """A model's outputs as JSON values, one for each sample; of a detector, a list of boxes for each image."""
    numbered = PredictionBatch({"sample": list(range(len(batch)))}, batch.x, image_sizes=batch.image_sizes)
    columns = prediction_columns(numbered, outputs, description)
    positions = columns.pop("sample")
    rows = [dict(zip(columns, map(_plain, row), strict=True)) for row in zip(*columns.values(), strict=True)]
    targets = TARGET_KINDS[description.task]
    if targets == "boxes":
        return [[row for row, at in zip(rows, positions, strict=True) if at == number] for number in range(len(batch))]
    if targets == "class":
        for row, probabilities in zip(rows, outputs.tolist(), strict=True):
            row["probabilities"] = dict(zip(description.classes, probabilities, strict=True))
    return rows


def request_text(description: InputDescription) -> str:
    """Say what the body of a request must be."""
    kind = key_of(description)
    examples = {"images": "<base64 of an image file>", "texts": "<text>"}
    row = examples.get(kind) or dict.fromkeys(tables.column_names(description), "...")
    alone = {
        "images": ", or one image file with its Content-Type, such as image/png",
        "texts": ", or one text with Content-Type: text/plain",
    }
    return f"a JSON object such as {json.dumps({kind: [row]}, ensure_ascii=False)}{alone.get(kind, '')}"


def _is_alone(content_type: str, key: str) -> bool:
    """Whether the body of a request is one image file, or one text."""
    alone = {"images": "image/", "texts": "text/plain"}
    return key in alone and content_type.lower().startswith(alone[key])


def _is_request(body: bytes) -> bool:
    """Whether a text is a request in JSON, as browsers send it if no type is given."""
    try:
        given = _parsed(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(given, dict) and given.keys() == {"texts"}


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _json(body: bytes, description: InputDescription) -> Any:
    try:
        return _parsed(body)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"the body is not JSON ({error}): send {request_text(description)}") from None
    except ValueError:  # Python's text names one of its functions
        raise Unreadable(f"the body has a number of more than {sys.get_int_max_str_digits()} digits") from None


def _parsed(body: bytes) -> Any:
    return json.loads(body, object_pairs_hook=_object, parse_constant=_constant)


def _constant(name: str) -> float | None:
    """A number that JSON does not have, as Python writes it: NaN is the missing value of pandas, also of texts."""
    return None if name == "NaN" else float(name)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; of two values with the same key, Python's parser would take the last."""
    found = dict(pairs)
    if len(found) < len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise Unreadable(f"the body has an object with the key {reprlib.repr(twice)} twice: give it once")
    return found


def _short(text: str) -> str:
    """A text without its middle, if it is longer than LONGEST."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]}...{text[-LONGEST // 2 :]}"


def _image_file(number: int, content: Any) -> bytes:
    try:
        return b64decode(content, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise Unreadable(f"images[{number}] is not the base64 of an image file") from None


def _pixels(content: bytes) -> int:
    from PIL import Image

    Image.init()
    Image.MAX_IMAGE_PIXELS = None  # see image_file.decode
    try:
        with Image.open(BytesIO(content), formats=[kind for kind in KINDS if kind in Image.OPEN]) as image:
            return image.width * image.height
    except Exception:  # decoding says what is wrong
        return 0


def _decoded(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(f"the text is not in UTF-8 ({error})") from None


def _read_rows(rows: list[Any], description: InputDescription) -> PredictionBatch:
    for number, row in enumerate(rows):
        wrong = [value for value in row.values() if isinstance(value, dict | list)] if isinstance(row, dict) else [row]
        if wrong:
            raise Unreadable(f"rows[{number}] is not an object with a text, a number, true, false or null by column")
    names = dict.fromkeys(name for row in rows for name in row)
    try:
        "".join(names).encode()
    except UnicodeEncodeError:
        raise Unreadable("the name of a column is not Unicode: it has half of a character") from None
    used = tables.column_names(description)
    for number, row in enumerate(rows):
        if lacking := [name for name in used if name in names and name not in row]:
            raise Unreadable(
                f"rows[{number}] lacks {', '.join(map(repr, lacking[:NAMED]))}, which other rows have: write null "
                "where there is no value"
            )
    columns = {name: _column(name, [row[name] for row in rows]) for name in used if name in names}
    no_numbers = {column.name for column in description.columns if column.kind != "number"}
    if flags := [name for name, values in columns.items() if name not in no_numbers and str(values.type) == "bool"]:
        raise Unreadable(f"column {flags[0]!r} has true or false, where numbers belong: if 1 or 0 is meant, write that")
    unused = [_short(name) for name in names if name not in used]
    columns |= {name: _column(name, [None] * len(rows)) for name in unused[:NAMED]}  # for errors that name columns
    samples = tables.to_samples(columns, description)
    if samples.errors:
        errors = {row: FOR_OWNERS.sub(FOR_CLIENTS, samples.errors[row]) for row in sorted(samples.errors)[:NAMED]}
        named = "; ".join(f"rows[{row}]: {_short(error)}" for row, error in errors.items())
        raise Unreadable(f"{len(samples.errors)} row(s) cannot be predicted: {named}")
    shown = ", ".join([*unused[:NAMED], *["..."] * (len(unused) > NAMED)])
    remarks = [f"unused columns: {shown}"] if unused else []
    return PredictionBatch({}, samples.x, (*remarks, *map(_short, tables.warn_of_unknown(samples.unknown))))


def _column(name: str, values: list[Any]) -> Any:
    import pyarrow as pa

    try:
        array = pa.array(values, pa.string() if all(value is None for value in values) else None)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        if {*map(type, values)} <= {int, float, type(None)}:
            largest = max((value for value in values if isinstance(value, int)), key=abs)
            raise Unreadable(
                f"column {name!r} has {reprlib.repr(largest)}; whole numbers are read up to 2**63 - 1, and beside "
                "fractions up to 2**53: write it with a decimal point"
            ) from None
        raise Unreadable(
            f"column {name!r} has values of different types, such as numbers and text: give all rows the same type"
        ) from None
    except UnicodeEncodeError:
        raise Unreadable(f"column {name!r} has a text that is not Unicode: half of a character") from None
    return pa.chunked_array([array])


def _read_images(contents: list[bytes], description: InputDescription) -> PredictionBatch:
    image_format = images.format_of(description)
    samples, warnings = [], []
    for number, content in enumerate(contents):
        try:
            samples.append(images.read_one(BytesIO(content), image_format, description))
        except Unreadable as error:
            raise Unreadable(f"images[{number}]: {error}") from None
        warnings += [f"images[{number}]: {remark}" for remark in samples[-1].remarks]
    x = stack([sample.pixels for sample in samples], description.shape, description.dtype)
    return PredictionBatch({}, x, tuple(warnings), image_sizes=np.array([sample.size for sample in samples]))


def _read_texts(contents: list[Any], description: InputDescription) -> PredictionBatch:
    samples, warnings, vocabulary = [], [], texts.vocabulary_of(description)
    for number, content in enumerate(contents):
        if not isinstance(content, str):
            raise Unreadable(f"texts[{number}] is not a text")
        try:
            sample, warning = texts.to_sample(texts.words_of(content), vocabulary, description)
        except Unreadable as error:
            raise Unreadable(f"texts[{number}]: {error}") from None
        samples.append(sample)
        warnings.append(f"texts[{number}]: {warning}")
    return PredictionBatch({}, stack(samples, description.shape, description.dtype), tuple(warnings))


_READERS: Mapping[str, Callable[[list[Any], InputDescription], PredictionBatch]] = {
    "rows": _read_rows,
    "images": _read_images,
    "texts": _read_texts,
}
