"""Requests to a server: their raw rows, images or texts as samples, and a model's answers as JSON."""

import binascii
import json
import reprlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any

import numpy as np

from modelyard.data.inputs import InputDescription
from modelyard.data.samples import TARGET_KINDS
from modelyard.serving import images, tables, texts
from modelyard.serving.batch import PredictionBatch, Unreadable, kind_of, stack
from modelyard.serving.predictions import prediction_columns

MOST_SAMPLES = 1000  # of a request; more are for `modelyard predict`
NAMED = 5  # rows that an error names


def key_of(description: InputDescription) -> str:
    """The key of a request that holds its samples."""
    return {"text": "texts", "image": "images", "table": "rows"}[kind_of(description)]


def read(body: bytes, content_type: str, description: InputDescription) -> PredictionBatch:
    """Read the samples of a request: JSON, or the bytes of one image or text.

    Raises:
        Unreadable: it says what is wrong, and what would be right.
    """
    kind = key_of(description)
    if _is_alone(content_type, kind):
        if kind == "images":
            return _read_images([body], description)
        text = _decoded(body)
        if _is_request(text):
            raise Unreadable("the body is JSON, and its Content-Type says plain text: send it as application/json")
        return _read_texts([text], description)
    given = _json(body, description)
    if not isinstance(given, dict) or given.keys() != {kind} or not isinstance(given[kind], list):
        raise Unreadable(f"the body must be {request_text(description)}")
    samples = given[kind]
    if not 1 <= len(samples) <= MOST_SAMPLES:
        raise Unreadable(f"{kind} has {len(samples)} entries: send 1 to {MOST_SAMPLES}")
    return _READERS[kind](samples, description)


def as_json(body: bytes, content_type: str, description: InputDescription) -> Any:
    """What was read of a request, as JSON that can be read again: an image or a text of its own as a list of one."""
    kind = key_of(description)
    if _is_alone(content_type, kind):
        return {kind: [b64encode(body).decode() if kind == "images" else _decoded(body)]}
    return json.loads(body)


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


def _is_alone(content_type: str, kind: str) -> bool:
    """Whether the body of a request is one image file, or one text."""
    alone = {"images": "image/", "texts": "text/plain"}
    return kind in alone and content_type.lower().startswith(alone[kind])


def _is_request(text: str) -> bool:
    """Whether a text is a request in JSON, as browsers send it if no type is given."""
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(given, dict) and given.keys() == {"texts"}


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _json(body: bytes, description: InputDescription) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"the body is not JSON ({error}): send {request_text(description)}") from None


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
    used = tables.column_names(description)
    for number, row in enumerate(rows):
        if lacking := [name for name in used if name in names and name not in row]:
            raise Unreadable(
                f"rows[{number}] lacks {', '.join(map(repr, lacking[:NAMED]))}, which other rows have: write null "
                "where there is no value"
            )
    columns = {name: _column(name, [row[name] for row in rows]) for name in used if name in names}
    unused = [name for name in names if name not in used]
    columns |= {name: _column(name, [None] * len(rows)) for name in unused[:NAMED]}  # for errors that name columns
    samples = tables.to_samples(columns, description)
    if samples.errors:
        named = "; ".join(f"rows[{row}]: {samples.errors[row]}" for row in sorted(samples.errors)[:NAMED])
        raise Unreadable(f"{len(samples.errors)} row(s) cannot be predicted: {named}")
    shown = ", ".join([*unused[:NAMED], *["..."] * (len(unused) > NAMED)])
    remarks = [f"unused columns: {shown}"] if unused else []
    return PredictionBatch({}, samples.x, (*remarks, *tables.warn_of_unknown(samples.unknown)))


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


def _read_images(contents: list[Any], description: InputDescription) -> PredictionBatch:
    image_format = images.format_of(description)
    samples, warnings = [], []
    for number, content in enumerate(contents):
        try:
            data = content if isinstance(content, bytes) else b64decode(content, validate=True)
            samples.append(images.read_one(BytesIO(data), image_format, description))
        except (binascii.Error, TypeError, ValueError):
            raise Unreadable(f"images[{number}] is not the base64 of an image file") from None
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
