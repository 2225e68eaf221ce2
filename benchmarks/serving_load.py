"""Measures `modelyard serve` and `mlflow models serve` on loopback: requests per second, their times, and the memory.

    .venv/bin/python benchmarks/serving_load.py mnist_cnn boston_mlp_standard   # writes results/serving_load.md
    .venv/bin/python benchmarks/serving_load.py digits_cnn --seconds 2 --requests 500   # prints a quick look

The experiments must have been built. Each request has one sample, the test sample 0, over a kept connection: to our
server as a user would send it, to MLflow's as nested lists of raw values. MLflow serves the same model, registered by
`modelyard promote` in a store of its own, by the library that trained it. The clients are threads of another process
than the server; the memory is that of all its processes, at the end after 10,000 requests (of MLflow, which is slower,
after those of the measurement). With the options nothing is written. Takes six minutes.
"""

import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
from PIL import Image

from modelyard.core.files import write_text
from modelyard.core.report_text import markdown_table
from modelyard.data.inputs import WHITE
from modelyard.experiments.evaluate import load_test_samples
from modelyard.serving.engines import find, load

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "benchmarks" / "results" / "serving_load.md"
CLIENTS = (1, 8, 32)
START_SECONDS = 180.0
COLUMNS = [
    "experiment",
    "server",
    "clients",
    "requests / s",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "MB at the start",
    "MB at the end",
]


class Server(NamedTuple):
    """A server that runs, and what to send to it."""

    process: subprocess.Popen
    port: int
    path: str
    body: bytes

    def megabytes(self) -> float:
        """The memory of all of its processes."""
        top = psutil.Process(self.process.pid)
        return sum(each.memory_info().rss for each in (top, *top.children(recursive=True))) / 1e6


def request_body(name: str) -> bytes:
    """The first test sample of an experiment, as JSON with raw values."""
    experiment = find(name, ROOT)
    description = load(experiment, "auto").description
    x = np.asarray(load_test_samples(experiment.test_folder).x[0])
    if description.words:
        return json.dumps({"texts": [" ".join(filter(None, (description.words[number] for number in x)))]}).encode()
    if len(description.shape) == 3:
        file = BytesIO()
        pixels = np.rint(x / description.white_level * WHITE).astype(np.uint8)
        Image.fromarray(pixels.squeeze()).save(file, "PNG")
        return json.dumps({"images": [b64encode(file.getvalue()).decode()]}).encode()
    return json.dumps({"rows": [dict(zip(description.features, x.tolist(), strict=True))]}).encode()


@contextmanager
def modelyard_serve(name: str) -> Iterator[Server]:
    """`modelyard serve`."""
    command = [sys.executable, "-m", "modelyard", "serve", name, "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Server(process, int(process.stdout.readline().rpartition(":")[2]), "/predict", request_body(name))
        finally:
            process.terminate()


@contextmanager
def mlflow_serve(name: str) -> Iterator[Server]:
    """`mlflow models serve`, with the model registered in a temporary store."""
    experiment = find(name, ROOT)
    sample = np.asarray(load_test_samples(experiment.test_folder).x[:1]).tolist()
    features = load(experiment, "auto").description.features
    given = {"dataframe_split": {"columns": features, "data": sample}} if features else {"inputs": sample}
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        free.close()
        environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
        promote = [sys.executable, "-m", "modelyard", "promote", name]
        promoted = subprocess.run(promote, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        model = promoted.stdout.split()[0]
        serve = ["mlflow", "models", "serve", "-m", f"models:/{model}", "--env-manager", "local", "--port", str(port)]
        command = [str(Path(sys.executable).with_name(serve[0])), *serve[1:]]
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        log = (Path(folder) / "log").open("wb")
        with log, subprocess.Popen(command, env=environment | {"PATH": path}, stdout=log, stderr=log) as process:
            try:
                wait_for(port)
                yield Server(process, port, "/invocations", json.dumps(given).encode())
            finally:
                for each in (*psutil.Process(process.pid).children(recursive=True), process):
                    with suppress(psutil.NoSuchProcess):
                        each.terminate()


SERVERS = {"modelyard": modelyard_serve, "mlflow": mlflow_serve}


def wait_for(port: int) -> None:
    """Return once a port accepts connections."""
    until = time.monotonic() + START_SECONDS
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        if time.monotonic() > until:
            raise TimeoutError(f"nothing answers on port {port}")
        time.sleep(0.2)


def ask(server: Server, until: float, most: int, times: list[float]) -> None:
    """Send requests one after the other until a time, and note how long each took."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    for _ in range(most):
        began = time.perf_counter()
        if began > until:
            break
        connection.request("POST", server.path, server.body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"status {answer.status}: {text.decode()}")
        times.append(time.perf_counter() - began)
    connection.close()


def load_with(clients: int, server: Server, seconds: float, most: int = sys.maxsize) -> tuple[list[float], float]:
    """Ask with several clients at once; return the time of each request, and requests per second."""
    times: list[float] = []
    began = time.perf_counter()
    threads = [threading.Thread(target=ask, args=(server, began + seconds, most, times)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times, len(times) / (time.perf_counter() - began)


def measure(name: str, kind: str, seconds: float, requests: int) -> list[list[str]]:
    """The rows of one experiment, one for each number of clients; the memory is that after so many requests in all."""
    rows, done = [], 0
    with SERVERS[kind](name) as server:
        load_with(1, server, 1)  # the first ones take longer
        start = server.megabytes()
        for clients in CLIENTS:
            times, speed = load_with(clients, server, seconds)
            done += len(times)
            quantiles = [f"{1000 * value:.1f}" for value in np.quantile(times, [0.5, 0.95, 0.99])]
            rows.append([name, kind, str(clients), f"{speed:.0f}", *quantiles])
        if done < requests and kind == "modelyard":
            load_with(1, server, float("inf"), requests - done)
        megabytes = [f"{value:.0f}" for value in (start, server.megabytes())]
    return [[*row, *megabytes] for row in rows]


def main() -> None:
    """Measure the experiments that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiments", nargs="+")
    parser.add_argument("--seconds", type=float, default=20.0, help="for each number of clients")
    parser.add_argument("--requests", type=int, default=10_000, help="after which the memory is measured")
    options, load = parser.parse_args(), os.getloadavg()[0]
    runs = [(name, kind) for name in options.experiments for kind in SERVERS]
    rows = [row for run in runs for row in measure(*run, options.seconds, options.requests)]
    table = markdown_table(COLUMNS, rows)
    print(table)
    if (options.seconds, options.requests) == (parser.get_default("seconds"), parser.get_default("requests")):
        versions = ", ".join(f"{each} {version(each)}" for each in ("onnxruntime", "mlflow", "tensorflow"))
        setup = f"{os.cpu_count()} cores for server and clients, load average {load:.1f} before; {versions}."
        write_text(RESULT, f"# Servers of predictions on loopback\n\n{setup}\n\n{table}")


if __name__ == "__main__":
    main()
