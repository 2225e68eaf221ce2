"""`modelyard ui`: the MLflow UI on this project's runs."""

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
from modelyard.tracking import (
    check_address,
    masked_tracking_uri,
    project_root,
    report_relocation,
    tracking_uri,
)

POLL_SECONDS = 0.2  # while the server starts
ENVIRONMENT = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # not needed here; the server starts in half the time


def serve(port: int) -> int:
    """Run the MLflow server until Ctrl-C, and print its address once it answers; returns the exit code.

    Raises:
        ModelyardError: the port is taken, the runs are on a server, which has its own UI, or their database does not
            answer.
    """
    command = _command(port)
    check_address()
    report_relocation()
    handle_termination_as_ctrl_c()
    print(f"Starting MLflow on the runs in {masked_tracking_uri()} ...", flush=True)  # noqa: T201
    server = _start(command)
    try:
        address = f"http://127.0.0.1:{port}"
        if _wait_until_it_answers(server, address):
            print(f"Open {address} in the browser (Ctrl-C stops the server).", flush=True)  # noqa: T201
        return server.wait()
    except KeyboardInterrupt:
        return 130
    finally:
        server.terminate()
        server.wait()


def _command(port: int) -> list[str]:
    address = tracking_uri()
    if address.startswith(("http://", "https://")):
        raise ModelyardError(f"the runs are on a server: open {masked_tracking_uri()} in the browser.")
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise ModelyardError(f"port {port} is taken; choose another, such as: modelyard ui --port {port - 1}")
    network = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--uvicorn-opts", "--log-level warning"]
    artifacts = ["--default-artifact-root", (project_root() / "mlartifacts").as_uri()]
    return [sys.executable, "-m", "mlflow", "server", *network, *artifacts]


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    """Start the server with SIGINT blocked: on Ctrl-C it would print a traceback, and `serve` terminates it anyway."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        # Not as an option: the command of a process is shown to every user, and the address may hold a password.
        store = {"MLFLOW_BACKEND_STORE_URI": tracking_uri()}
        return subprocess.Popen(command, env=ENVIRONMENT | os.environ | store)  # noqa: S603
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _wait_until_it_answers(server: subprocess.Popen[bytes], address: str) -> bool:
    """Wait until the server answers or has ended; returns whether it answers."""
    request = build_opener(ProxyHandler({})).open
    while server.poll() is None:
        with suppress(OSError):
            request(f"{address}/health", timeout=POLL_SECONDS * 10).close()
            return True
        time.sleep(POLL_SECONDS)
    return False
