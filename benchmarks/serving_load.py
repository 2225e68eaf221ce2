"""Measures the server of predictions on loopback: requests per second, their times, and its memory.

    .venv/bin/python benchmarks/serving_load.py digits_cnn boston_mlp_standard   # writes results/serving_load.md
    .venv/bin/python benchmarks/serving_load.py digits_cnn --seconds 2 --requests 500   # prints a quick look

The experiments must have been built. Each request has one sample, the test sample 0 as a user would send it, over a
kept connection; the clients are threads of another process than the server. With the options nothing is written.
"""

import argparse
import http.client
import json
import subprocess
import sys
import threading
import time
from base64 import b64encode
from io import BytesIO
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from modelyard.core.files import write_text
from modelyard.core.report_text import markdown_table
from modelyard.experiments.evaluate import load_test_samples
from modelyard.serving.engines import find, load
from modelyard.serving.images import WHITE, white_level

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "benchmarks" / "results" / "serving_load.md"
CLIENTS = (1, 8, 32)
COLUMNS = ["experiment", "clients", "requests / s", "p50 ms", "p95 ms", "p99 ms", "MB at the start", "MB at the end"]


def request_body(name: str) -> bytes:
    """The first test sample of an experiment, as JSON with raw values."""
    experiment = find(name, ROOT)
    description = load(experiment, "auto").description
    x = np.asarray(load_test_samples(experiment.test_folder).x[0])
    if description.words:
        return json.dumps({"texts": [" ".join(filter(None, (description.words[number] for number in x)))]}).encode()
    if len(description.shape) == 3:
        file = BytesIO()
        pixels = np.rint(x / white_level(description) * WHITE).astype(np.uint8)
        Image.fromarray(pixels.squeeze()).save(file, "PNG")
        return json.dumps({"images": [b64encode(file.getvalue()).decode()]}).encode()
    return json.dumps({"rows": [dict(zip(description.features, x.tolist(), strict=True))]}).encode()


def ask(port: int, body: bytes, until: float, most: int, times: list[float]) -> None:
    """Send requests one after the other until a time, and note how long each took."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for _ in range(most):
        began = time.perf_counter()
        if began > until:
            break
        connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"status {answer.status}: {text.decode()}")
        times.append(time.perf_counter() - began)
    connection.close()


def load_with(
    clients: int, port: int, body: bytes, seconds: float, most: int = sys.maxsize
) -> tuple[list[float], float]:
    """Ask with several clients at once; return the time of each request, and requests per second."""
    times: list[float] = []
    began = time.perf_counter()
    arguments = (port, body, began + seconds, most, times)
    threads = [threading.Thread(target=ask, args=arguments) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times, len(times) / (time.perf_counter() - began)


def measure(name: str, seconds: float, requests: int) -> list[list[str]]:
    """The rows of one experiment, one for each number of clients; the memory is that after so many requests in all."""
    command = [sys.executable, "-m", "modelyard", "serve", name, "--port", "0"]
    body, rows, done = request_body(name), [], 0
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            port = int(server.stdout.readline().rpartition(":")[2])
            memory = psutil.Process(server.pid).memory_info
            load_with(1, port, body, 1)  # the first ones take longer
            start = memory().rss
            for clients in CLIENTS:
                times, speed = load_with(clients, port, body, seconds)
                done += len(times)
                quantiles = [f"{1000 * value:.1f}" for value in np.quantile(times, [0.5, 0.95, 0.99])]
                rows.append([name, str(clients), f"{speed:.0f}", *quantiles])
            if done < requests:
                load_with(1, port, body, float("inf"), requests - done)
            megabytes = [f"{value / 1e6:.0f}" for value in (start, memory().rss)]
        finally:
            server.terminate()
    return [[*row, *megabytes] for row in rows]


def main() -> None:
    """Measure the experiments that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiments", nargs="+")
    parser.add_argument("--seconds", type=float, default=20.0, help="for each number of clients")
    parser.add_argument("--requests", type=int, default=10_000, help="after which the memory is measured")
    options = parser.parse_args()
    rows = [row for name in options.experiments for row in measure(name, options.seconds, options.requests)]
    table = markdown_table(COLUMNS, rows)
    print(table)
    if (options.seconds, options.requests) == (parser.get_default("seconds"), parser.get_default("requests")):
        write_text(RESULT, f"# The server of predictions on loopback\n\n{table}")


if __name__ == "__main__":
    main()
