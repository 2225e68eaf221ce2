# ruff: noqa: S310 (its own server on loopback)
"""The HTTP server: answers, refusals, metrics, its bounded log, and newer versions of its model."""

import gzip
import json
import os
import socket
import threading
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from PIL import Image
from support.inputs import describe
from support.waiting import wait_until

from modelyard.core.errors import ModelyardError
from modelyard.data.columns import Column
from modelyard.data.inputs import InputDescription, TrainingInput
from modelyard.data.preprocessing import Imputation, Preprocessing
from modelyard.data.readers.csv_table import CsvFormat
from modelyard.data.readers.image_file import DecodedImage, ImageFormat
from modelyard.serving import check, images
from modelyard.serving import server as serving
from modelyard.serving.request_log import RequestLog
from modelyard.serving.served_model import FoundModel, ModelSource, ServedModel, find_source
from modelyard.serving.server import make_app

COLUMNS = (
    Column(name="area", kind="number"),
    Column(name="town", kind="category", categories=("Bonn", "Ulm")),
    Column(name="sold on", kind="date", parts=("year", "month")),
)
GAPS = Preprocessing(
    imputation=(Imputation(strategy="median"),) + (Imputation(strategy="refuse"),) * 3, min_frequency=1
)


class Summing:
    """A model whose answers can be computed by hand: the sum of a sample, or its brightness."""

    def __init__(self, description: InputDescription, plus: float = 0.0) -> None:
        self.description, self._plus = description, plus

    def predict(self, x: np.ndarray) -> np.ndarray:
        flat = np.nan_to_num(x.astype(float)).reshape(len(x), -1)
        if self.description.task == "regression":
            return flat.sum(axis=1) + self._plus
        bright = flat.mean(axis=1) / 255
        return np.column_stack([1 - bright, bright])


class Client:
    """Sends requests to a server."""

    def __init__(self, port: int) -> None:
        self.port, self.address = port, f"http://127.0.0.1:{port}"

    def get(self, path: str) -> tuple[int, str]:
        return self._answer(urllib.request.Request(self.address + path))

    def predict(self, body: Any, kind: str = "application/json", **headers: str) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}/predict", data, {"Content-Type": kind, **headers})
        status, text = self._answer(request)
        return status, json.loads(text)

    def _answer(self, request: urllib.request.Request) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


class Versions:
    """A source whose version and model tests change."""

    def __init__(self, model: Summing) -> None:
        self.number, self.model, self.is_broken = 1, model, False

    def load(self) -> Summing:
        if self.is_broken:
            raise ValueError("broken")
        return self.model

    def source(self) -> ModelSource:
        return lambda: FoundModel(f"version {self.number}", self.load)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable]:
    """Starts a server of a source, with a log of 10 kB, and returns its client."""
    running = []

    def start(source: ModelSource, watch: float = 60) -> Client:
        log = RequestLog(tmp_path / "log" / "requests.jsonl", 0.01)
        app = make_app(ServedModel(source), watch, log)
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="on"))
        thread = threading.Thread(target=server.run)
        thread.start()
        running.append((server, thread))
        wait_until(lambda: server.started, 60)
        return Client(server.servers[0].sockets[0].getsockname()[1])

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join(60)


@pytest.fixture
def table(regression_input: TrainingInput) -> Versions:
    names = tuple(name for column in COLUMNS for name in column.features)
    samples = regression_input.samples
    described = describe(samples, features=names, columns=COLUMNS, preprocessing=GAPS)
    return Versions(Summing(described.model_copy(update={"shape": (4,)})))


ROW = {"area": 10, "town": "Ulm", "sold on": "2024-03-01"}


def test_rows_have_named_raw_columns_in_any_order(table, start):
    client = start(table.source())
    status, answer = client.predict({"rows": [ROW, {"sold on": "2020-01-31", "town": "Bonn", "area": None}]})
    assert status == 200
    assert answer["model"] == "version 1"
    assert [row["prediction"] for row in answer["predictions"]] == [10 + 1 + 2024 + 3, 0 + 0 + 2020 + 1]
    assert answer["warnings"] == []


def test_unknown_categories_and_unused_columns_are_warnings(table, start):
    _, answer = start(table.source()).predict({"rows": [ROW | {"town": "Rome", "garden": True}]})
    assert answer["warnings"] == [
        "unused columns: garden",
        "categories of 'town' that training did not see: Rome (1 row(s))",
    ]


def test_unused_columns_are_not_read_and_not_all_named(table, start):
    rows = [ROW | {"note": "x"} | {f"n{number}": number for number in range(1000)}, ROW | {"note": 3}]
    status, answer = start(table.source()).predict({"rows": rows})
    assert (status, len(answer["predictions"])) == (200, 2)
    assert answer["warnings"][0].startswith("unused columns: note, n0, ")
    assert answer["warnings"][0].endswith(", ...")


@pytest.mark.parametrize(
    "body, message",
    [
        (b"{", 'send a JSON object such as {"rows": [{"area": "...", "town": "...", "sold on": "..."}]}'),
        (b"\xff\xfe", "the body is not JSON"),
        (b"[" * 100_000, "the body is not JSON"),
        ({"row": [ROW]}, 'a JSON object such as {"rows": [{"area": "...", "town": "...", "sold on": "..."}]}'),
        ([ROW], "a JSON object such as"),
        ({"rows": []}, "rows has 0 entries: send 1 to 1000"),
        ({"rows": [ROW] * 1001}, "rows has 1001 entries: send 1 to 1000"),
        ({"rows": [3]}, "rows[0] is not an object with a text, a number, true, false or null by column"),
        ({"rows": [ROW, {"area": 1}]}, "rows[1] lacks 'town', 'sold on', which other rows have: write null where"),
        ({"rows": [ROW, ROW | {"area": [1]}]}, "rows[1] is not an object with a text"),
        (
            {"rows": [{"area": 1}]},
            "2 of 3 columns are missing: town, sold on. The model takes area, town, sold on; given are area",
        ),
        ({"rows": [{}]}, "The model takes area, town, sold on; given are none"),
        ({"rows": [ROW, ROW | {"area": "much"}]}, "values of different types, such as numbers and text"),
        ({"rows": [ROW | {"area": "much"}]}, "1 row(s) cannot be predicted: rows[0]: 'much' in column 'area'"),
        ({"rows": [ROW | {"town": None}]}, "no value in column 'town'"),
        (
            {"rows": [ROW | {"sold on": 20210615}]},
            "'sold on' has values of the type int64, which are no dates: give its dates as text, such as 2024-01-31",
        ),
        (
            {"rows": [ROW | {"area": 2**63}]},
            "column 'area' has 9223372036854775808; whole numbers are read up to 2**63 - 1, and beside fractions up to "
            "2**53: write it with a decimal point",
        ),
        ({"rows": [ROW | {"area": 0.5}, ROW | {"area": -(2**53) - 1}]}, "column 'area' has -9007199254740993; whole"),
        ({"rows": [ROW | {"area": 10**400}]}, "column 'area' has 100000000000000000...0000000000000000000; whole"),
        (rb'{"rows": [{"area": 1, "town": "\ud800", "sold on": "2024-03-01"}]}', "half of a character"),
        (rb'{"rows": [{"area": 1, "\ud800": 1}]}', "the name of a column is not Unicode: it has half of a character"),
        (b'{"rows": [{"area": 1, "area": 2}]}', "the body has an object with the key 'area' twice: give it once"),
        (b'{"rows": [], "rows": []}', "the body has an object with the key 'rows' twice: give it once"),
        (b'{"rows": [{"area": ' + b"9" * 5000 + b"}]}", "the body has a number of more than 4300 digits"),
        ({"rows": [ROW | {"area": True}]}, "column 'area' has true or false, where numbers belong: if 1 or 0 is meant"),
    ],
)
def test_a_malformed_request_gets_a_422_that_says_what_is_wrong(body, message, table, start):
    status, answer = start(table.source()).predict(body)
    assert status == 422
    assert message in answer["error"]


@pytest.mark.parametrize("value", [float("inf"), "inf", "much", "1,5", "1,500", "1.234,5", "9" * 50])
def test_a_value_that_is_no_number_gets_advice_for_the_client(value, table, start):
    status, answer = start(table.source()).predict({"rows": [ROW | {"area": value}]})
    assert status == 422
    assert f"'{value}' in column 'area', where a number belongs: write numbers like 1.5 or 1e-3" in answer["error"]
    assert answer["error"].endswith(("; send null where there is no value", " in size, as float32 holds them"))


@pytest.mark.parametrize(
    "column, value, decimal",
    [(Column(name="area", kind="boolean"), "perhaps", "."), (Column(name="area", kind="number"), "1,234.5", ",")],
)
def test_no_advice_is_for_the_owner_of_the_data_set(column, value, decimal, table, start):
    shown = table.model.description
    table.model.description = shown.model_copy(
        update={"columns": (column, *COLUMNS[1:]), "csv_format": CsvFormat(decimal=decimal)}
    )
    _, answer = start(table.source()).predict({"rows": [ROW | {"area": value}]})
    assert f"'{value}' in column 'area', where " in answer["error"]
    assert answer["error"].endswith("; send null where there is no value")


def test_nan_is_a_missing_value_and_null_in_the_log(table, start, tmp_path):
    client = start(table.source())
    status, answer = client.predict({"rows": [ROW, ROW | {"town": float("nan")}]})
    assert (status, answer["error"]) == (422, "1 row(s) cannot be predicted: rows[1]: no value in column 'town'")
    assert client.predict({"rows": [ROW | {"area": float("nan")}]})[0] == 200
    logged = json.loads((tmp_path / "log" / "requests.jsonl").read_text(), parse_constant=pytest.fail)
    assert logged["input"] == {"rows": [ROW | {"area": None}]}


LONG = "x" * 1_000_000


@pytest.mark.parametrize(
    "row", [ROW | {"area": LONG}, {LONG: 1}, ROW | {"sold on": LONG}, ROW | {"area": 1, f"{LONG}y": 2, "town": LONG}]
)
def test_an_answer_is_short_where_an_input_is_long(row, table, start):
    _, answer = start(table.source()).predict({"rows": [row]})
    assert 500 < len(json.dumps(answer)) < 5000
    assert "..." in json.dumps(answer)


def test_an_answer_that_is_no_json_is_neither_counted_nor_logged(table, start, tmp_path, monkeypatch):
    client = start(table.source())
    monkeypatch.setattr(serving.prediction_requests, "answers", lambda *_: ["\ud800"])
    assert client.predict({"rows": [ROW]})[0] == 500
    assert "modelyard_samples_total 0.0" in client.get("/metrics")[1].splitlines()
    assert (tmp_path / "log" / "requests.jsonl").read_text() == ""


def test_a_compressed_body_gets_a_415(table, start):
    status, answer = start(table.source()).predict(gzip.compress(b"{}"), **{"Content-Encoding": "gzip"})
    assert (status, answer["error"]) == (
        415,
        "a body with a Content-Encoding, such as gzip, is not read: send it as it is",
    )


def test_images_are_sent_as_files_or_as_base64(image_input, start):
    client = start(Versions(Summing(image_input.description)).source())
    file = BytesIO()
    Image.fromarray(np.full((8, 8), 204, np.uint8)).save(file, "PNG")
    expected = {"class": "bright", "probability": 0.8, "probabilities": {"dark": pytest.approx(0.2), "bright": 0.8}}
    for body, kind in (
        (file.getvalue(), "image/png"),
        (file.getvalue(), "Image/PNG"),
        ({"images": [b64encode(file.getvalue()).decode()]}, "application/json"),
    ):
        status, answer = client.predict(body, kind)
        assert (status, answer["predictions"]) == (200, [expected])
    for body, kind, message in (
        (b"no image", "image/png", "images[0]: not an image"),
        (file.getvalue(), "", "or one image file with its Content-Type, such as image/png"),
        ({"images": ["?"]}, "application/json", "images[0] is not the base64 of an image file"),
        ({"images": [7]}, "application/json", "images[0] is not the base64 of an image file"),
    ):
        status, answer = client.predict(body, kind)
        assert status == 422
        assert message in answer["error"]


def test_images_that_take_long_to_decode_hold_up_no_other_request(image_input, start, monkeypatch):
    decode, is_over, waiting = images.decode, threading.Event(), []

    def decode_slowly(file: BytesIO, image_format: ImageFormat) -> DecodedImage:
        decoded = decode(file, image_format)
        if decoded.size == (16, 16):
            waiting.append(file)
            assert is_over.wait(60)
        return decoded

    monkeypatch.setattr(images, "decode", decode_slowly)
    client = start(Versions(Summing(image_input.description)).source())
    large, small = BytesIO(), BytesIO()
    Image.new("L", (16, 16)).save(large, "PNG")
    Image.new("L", (8, 8)).save(small, "PNG")
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(client.predict(large.getvalue(), "image/png")[0]))
        for _ in range(os.cpu_count() or 1)
    ]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(waiting) == len(threads), 60)
    assert client.predict(small.getvalue(), "image/png")[0] == 200
    assert not answers
    is_over.set()
    for thread in threads:
        thread.join(60)
    assert answers == [200] * len(threads)


def png(side: int) -> bytes:
    file = BytesIO()
    Image.new("L", (side, side)).save(file, "PNG")
    return file.getvalue()


def test_requests_with_large_images_wait_for_each_other_only(image_input, start, monkeypatch):
    """However many they are: by one large image, or by several that are large together."""
    decode, is_over = images.decode, threading.Event()

    def decode_slowly(file: BytesIO, image_format: ImageFormat) -> DecodedImage:
        decoded = decode(file, image_format)
        if decoded.size != (8, 8):
            assert is_over.wait(60)
        return decoded

    monkeypatch.setattr(images, "decode", decode_slowly)
    monkeypatch.setattr(serving, "LARGE", 200)
    client = start(Versions(Summing(image_input.description)).source())
    one, several = {"images": [b64encode(png(16)).decode()]}, {"images": [b64encode(png(9)).decode()] * 3}
    answers = []
    threads = [
        threading.Thread(target=lambda body=body: answers.append(client.predict(body)[0]))
        for body in [one, several] * 20
    ]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(answers) == len(threads) - serving.MOST_LARGE, 60)
    assert set(answers) == {503}
    assert client.predict(png(8), "image/png")[0] == 200
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{client.address}/predict", json.dumps(one).encode(), timeout=60)
    assert refused.value.headers["Retry-After"] == "5"
    assert json.load(refused.value)["error"] == (
        "8 requests with large images are waiting: send it later, or smaller images"
    )
    is_over.set()
    for thread in threads:
        thread.join(60)
    assert answers.count(200) == serving.MOST_LARGE
    assert client.predict(one)[0] == 200


def test_images_of_too_many_pixels_together_are_refused_with_the_limit(image_input, start):
    client = start(Versions(Summing(image_input.description)).source())
    status, answer = client.predict({"images": [b64encode(png(8000)).decode()] * 2})
    assert (status, answer["error"]) == (
        422,
        "the images have 128 million pixels, and a request may have 100 million: send fewer at once, or scale them "
        "down",
    )


def test_texts_are_sent_as_they_are(word_input, start):
    words = ("", "", "", *(f"w{number}" for number in range(3, 12)))
    client = start(Versions(Summing(word_input.description.model_copy(update={"words": words}))).source())
    status, answer = client.predict(b"W5, w7 unheard", "text/plain; charset=utf-8")
    assert (status, answer["warnings"]) == (200, ["texts[0]: 3 of 3 words were read, 1 of them unknown to the model"])
    assert client.predict({"texts": ["w5 w7", "w3"]})[0] == 200
    assert client.predict({"texts": ["!"]}) == (422, {"error": "texts[0]: it contains no word"})
    assert client.predict({"texts": [1]})[1]["error"] == "texts[0] is not a text"
    for body, message in (
        (b'{"texts": ["w5", "w7"]}', "the body is JSON, and its Content-Type says plain text: send it as application"),
        (b'{"texts": ["w5"], "texts": ["w7"]}', "the body has an object with the key 'texts' twice: give it once"),
    ):
        status, answer = client.predict(body, "text/plain;charset=UTF-8")
        assert (status, message in answer["error"]) == (422, True)


def test_a_body_that_is_too_large_gets_a_413(table, start, monkeypatch):
    monkeypatch.setattr(serving, "MOST_BYTES", 1000)
    connection = HTTPConnection("127.0.0.1", start(table.source()).port, timeout=60)
    connection.request("POST", "/predict", iter([b"x" * 600] * 2), encode_chunked=True)  # its length is not announced
    answer = connection.getresponse()
    assert (answer.status, json.load(answer)["error"]) == (
        413,
        "the body has more than 1000 bytes: send fewer samples at once",
    )


def test_a_failure_of_the_model_gets_a_500_without_a_traceback(table, start, monkeypatch):
    client = start(table.source())
    monkeypatch.setattr(table.model, "predict", lambda x: 1 / 0)
    assert client.predict({"rows": [ROW]}) == (
        500,
        {"error": "the prediction failed; the log of the server says why"},
    )


def test_values_for_which_the_model_has_no_finite_answer_get_a_422(table, start, monkeypatch):
    client = start(table.source())
    monkeypatch.setattr(table.model, "predict", lambda x: np.array([1.0, np.inf]))
    status, answer = client.predict({"rows": [ROW, ROW]})
    assert (status, "sample 1: the model has no finite answer" in answer["error"]) == (422, True)
    assert 'modelyard_requests_total{status="422"} 1.0' in client.get("/metrics")[1].splitlines()


def test_a_file_that_is_no_model_is_refused_with_what_is_served(tmp_path):
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    with pytest.raises(
        ModelyardError, match=r"this model cannot be served: .* takes an experiment, a registered model"
    ):
        ServedModel(find_source(str(tmp_path / "broken.onnx"), "auto", tmp_path))


def test_a_client_that_leaves_during_the_upload_is_no_failure(table, start):
    client = start(table.source())
    with socket.create_connection(("127.0.0.1", client.port)) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
    wait_until(lambda: 'modelyard_requests_total{status="499"} 1.0' in client.get("/metrics")[1], 60)


def test_a_body_that_is_announced_as_too_large_is_not_waited_for(table, start):
    client = start(table.source())
    with socket.create_connection(("127.0.0.1", client.port)) as connection:
        length = f"Content-Length: {serving.MOST_BYTES + 1}\r\n".encode()
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: a\r\n" + length + b"Expect: 100-continue\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")  # and not 100


def test_a_body_that_does_not_come_gets_a_408(table, start, monkeypatch):
    monkeypatch.setattr(serving, "BODY_SECONDS", 0.2)
    client = start(table.source())
    with socket.create_connection(("127.0.0.1", client.port)) as connection:
        connection.settimeout(60)
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
        answer = b"".join(iter(lambda: connection.recv(1000), b""))  # until it is closed
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert answer.endswith(b'{"error":"the body has not come within 0.2 seconds"}')


@pytest.mark.parametrize(
    "method, path, status, allowed",
    [("GET", "/predict", 405, "POST"), ("GET", "/nowhere", 404, None), ("POST", "/predict/", 404, None)],
)
def test_an_address_or_method_that_is_not_there_is_refused_with_those_that_are(
    method, path, status, allowed, table, start
):
    connection = HTTPConnection("127.0.0.1", start(table.source()).port)
    connection.request(method, path)
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("Allow")) == (status, allowed)
    assert json.load(answer) == {
        "error": f"{method} {path} is not answered; these are: GET /, POST /predict, GET /health, GET /ready, "
        "GET /metrics"
    }


def test_health_readiness_description_and_metrics(table, start):
    client = start(table.source())
    assert [client.get(path)[0] for path in ("/health", "/ready", "/nowhere", "/predict")] == [200, 200, 404, 405]
    assert json.loads(client.get("/")[1])["task"] == "regression"
    client.predict({"rows": [ROW, ROW]})
    client.predict({})
    text = client.get("/metrics")[1]
    for line in (
        'modelyard_requests_total{status="200"} 1.0',
        'modelyard_requests_total{status="422"} 1.0',
        "modelyard_samples_total 2.0",
        "modelyard_seconds_count 2.0",
        'modelyard_model{version="version 1"} 1.0',
    ):
        assert line in text.splitlines()


def test_the_log_has_inputs_and_answers_and_is_bounded(table, start, tmp_path):
    client = start(table.source())
    for _ in range(150):
        client.predict({"rows": [ROW]})
    files = sorted((tmp_path / "log").glob("[!.]*"))
    assert [file.name for file in files] == ["requests.jsonl", "requests.jsonl.1"]
    assert sum(file.stat().st_size for file in files) <= 20_000
    last = json.loads(files[0].read_text().splitlines()[-1])
    assert last["input"] == {"rows": [ROW]}
    assert last["predictions"] == [{"prediction": 2038.0}]
    assert last["model"] == "version 1"
    read = check.read(files, table.model)
    assert (read.rows, list(read.problems.errors)) == (sum(len(file.read_text().splitlines()) for file in files), [])


def test_a_request_that_is_larger_than_the_log_is_left_out_and_counted(table, start, tmp_path):
    client = start(table.source())
    for note in ("x" * 10_000, "y"):
        assert client.predict({"rows": [ROW | {"note": note}]})[0] == 200
    (line,) = (tmp_path / "log" / "requests.jsonl").read_text().splitlines()
    assert json.loads(line)["input"] == {"rows": [ROW | {"note": "y"}]}
    assert "modelyard_unlogged_total 1.0" in client.get("/metrics")[1].splitlines()


def test_a_request_that_cannot_be_logged_is_answered_and_counted(table, start, tmp_path):
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "requests.jsonl").symlink_to("/dev/full")
    client = start(table.source())
    assert [client.predict({"rows": [ROW]})[0] for _ in range(2)] == [200, 200]
    assert "modelyard_unlogged_total 2.0" in client.get("/metrics")[1].splitlines()


@pytest.mark.parametrize("kind", ["image/png", "text/plain"])
def test_a_text_or_image_of_its_own_is_logged_so_that_it_can_be_checked(kind, word_input, image_input, start, tmp_path):
    file = BytesIO()
    Image.fromarray(np.full((8, 8), 204, np.uint8)).save(file, "PNG")
    bodies = {"image/png": (image_input, file.getvalue()), "text/plain": (word_input, b"7")}  # which is JSON too
    data, body = bodies[kind]
    model = Summing(data.description)
    assert start(Versions(model).source()).predict(body, kind)[0] == 200
    found = check.read([tmp_path / "log"], model)
    assert (found.rows, list(found.problems.errors)) == (1, [])


def test_a_new_version_is_taken_up_without_a_failed_request_and_a_broken_one_is_not(table, start):
    client = start(table.source(), watch=0.1)
    answered: list[tuple[int, str]] = []
    is_done = threading.Event()

    def ask() -> None:
        while not is_done.is_set():
            status, answer = client.predict({"rows": [ROW]})
            answered.append((status, answer["model"]))
            assert answer["predictions"] == [{"prediction": 2038.0 + (answer["model"] == "version 2")}]

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(answered) > 20, 60)
    table.model = Summing(table.model.description, plus=1)
    table.number = 2
    wait_until(lambda: answered[-1][1] == "version 2", 60)
    table.number, table.is_broken = 3, True
    seen = len(answered)
    wait_until(lambda: len(answered) > seen + 50, 60)
    is_done.set()
    for thread in threads:
        thread.join(60)
    assert {status for status, _ in answered} == {200}
    assert {version for _, version in answered} == {"version 1", "version 2"}
