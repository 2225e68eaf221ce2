"""`modelyard ui`: MLflow's own server on the project's store."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from urllib.request import ProxyHandler, build_opener

from modelyard.cli.interrupts import handle_termination_as_ctrl_c
from modelyard.core.errors import ModelyardError
from modelyard.tracking import masked_tracking_uri, project_root, tracking_uri

LOOK_SECONDS = 0.2  # between two looks at a server that starts
SMALL = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # no language model is judged here: it answers in half the time


def serve(port: int) -> int:
    """Run the MLflow server and tell its address once it answers; Ctrl-C ends it. Returns the exit code.

    Raises:
        ModelyardError: the port is taken, or runs are kept on a server that has pages of its own.
    """
    command = _command(port)
    handle_termination_as_ctrl_c()
    print(f"Starting MLflow on the runs of {masked_tracking_uri()} ...", flush=True)  # noqa: T201
    server = _start(command)
    try:
        address = f"http://127.0.0.1:{port}"
        if _comes_to_answer(server, address):
            print(f"Open {address} in the browser (Ctrl-C ends).", flush=True)  # noqa: T201
        return server.wait()
    except KeyboardInterrupt:
        return 130
    finally:
        server.terminate()
        server.wait()


def _command(port: int) -> list[str]:
    address = tracking_uri()
    if address.startswith(("http://", "https://")):
        raise ModelyardError(f"runs are kept on a server: open {masked_tracking_uri()} in the browser.")
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise ModelyardError(f"port {port} is taken; choose another, such as: modelyard ui --port {port - 1}")
    place = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--uvicorn-opts", "--log-level warning"]
    kept = ["--backend-store-uri", address, "--default-artifact-root", (project_root() / "mlartifacts").as_uri()]
    return [sys.executable, "-m", "mlflow", "server", *place, *kept]


def _start(command: list[str]) -> subprocess.Popen:
    """Start the server deaf to Ctrl-C, which it would answer with a traceback: it is we who end it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return subprocess.Popen(command, env=SMALL | os.environ)  # noqa: S603
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _comes_to_answer(server: subprocess.Popen, address: str) -> bool:
    """Wait until the server answers, or has ended."""
    ask = build_opener(ProxyHandler({})).open
    while server.poll() is None:
        with suppress(OSError):
            ask(f"{address}/health", timeout=LOOK_SECONDS * 10).close()
            return True
        time.sleep(LOOK_SECONDS)
    return False
