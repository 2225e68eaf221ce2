"""Servers for tests: started on a free loopback port, ready when they answer, killed at the end."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from support.waiting import wait_until

BOUND = 1200  # seconds; long, for a loaded machine: some import TensorFlow first


@contextmanager
def served(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], health: str = "/health"
) -> Iterator[str]:
    """Start a server by a command with `--port`, and give its address once it answers at `health`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = folder / "server.log"
    with log.open("w") as file:
        server = subprocess.Popen(
            [*command, "--port", str(port)], cwd=folder, env=environment,
            stdout=file, stderr=file, start_new_session=True,
        )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: answers(f"{address}{health}") or server.poll() is not None, BOUND)
        assert server.poll() is None, log.read_text()
        yield address
    finally:
        with suppress(ProcessLookupError):  # it may have ended by itself
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        log.unlink()


def mlflow_server(store: str, artifacts: Path, *options: str) -> list[str]:
    """The command of an MLflow server with a store for runs and a folder for artifacts."""
    storage = ["--backend-store-uri", store, "--artifacts-destination", str(artifacts)]
    return [sys.executable, "-m", "mlflow", "server", "--workers", "1", *storage, *options]


PASSWORD = "a long password"  # noqa: S105 (of a server that runs for one test)
ASKED_FOR = {"MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORD, "MLFLOW_FLASK_SERVER_SECRET_KEY": "any words"}
"""The environment of a server with passwords, started with `--app-name basic-auth`."""


def answers(address: str) -> bool:
    """Whether a server answers there with status 200."""
    try:
        return urlopen(address, timeout=5).status == 200  # noqa: S310
    except (URLError, TimeoutError, ConnectionError):
        return False
