"""`modelyard ui`: the MLflow UI on this project's runs."""

import os
import signal
import socket
import subprocess
import sys
import time
import webbrowser
from collections import Counter
from contextlib import suppress
from urllib.request import ProxyHandler, build_opener

from modelyard import params
from modelyard.cli.experiments import read_results
from modelyard.cli.interrupts import INTERRUPTED, handle_termination_as_ctrl_c
from modelyard.core.config import read_project_file
from modelyard.core.errors import ModelyardError
from modelyard.experiments.compare import overview
from modelyard.metrics.definitions import headline_metric
from modelyard.reporting.markdown import overview_table
from modelyard.tracking import (
    check_address,
    masked_tracking_uri,
    project_root,
    runs_page,
    tracking_uri,
)
from modelyard.tracking.database import is_current
from modelyard.tracking.store import database_file, prepare_store

POLL_SECONDS = 0.2  # while the server starts
ENVIRONMENT = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # not needed here; the server starts in half the time
    "PYTHONWARNINGS": "ignore:starlette.middleware.wsgi is deprecated",  # which concerns MLflow alone
}
# MLflow keeps the choice in the browser; the address of the table has it, those of the runs have not.
MENU = "For the menu of a run's page, choose *Model training* once, at the top left."


def serve(port: int, open_browser: bool = True) -> int:
    """Run the MLflow server until Ctrl-C, and show the table of runs once it answers; returns the exit code.

    Raises:
        ModelyardError: this is no project, the port is taken, the runs are on a server, which has its own UI, or their
            database does not answer.
    """
    read_project_file(project_root() / "params.yaml")  # else MLflow would create a database wherever one is
    command = _command(port)
    check_address()
    prepare_store()
    handle_termination_as_ctrl_c()
    print(f"Starting MLflow on the runs in {masked_tracking_uri()} ...", flush=True)  # noqa: T201
    server = _start(command)
    try:
        address = f"http://127.0.0.1:{port}"
        # While the server starts, but for a database that it must migrate first: only one process may.
        file = database_file()
        page = _page() if file and is_current(file, project_root()) else None
        if _wait_until_it_answers(server, address):
            whole = address + (_page() if page is None else page)
            print(f"Open {whole} in the browser (Ctrl-C stops the server).\n{MENU}", flush=True)  # noqa: T201
            if open_browser:
                _open(whole)
        return server.wait()
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        server.terminate()
        server.wait()


def _page() -> str:
    """The page with the runs, to be appended to the address of the server; empty where that cannot be prepared."""
    contents: tuple[list[str], bool, str] = ([], False, "")
    with suppress(ModelyardError):  # of settings or result files: a build reports them
        contents = _contents()
    try:
        return runs_page.prepare(*contents)
    except ModelyardError as error:
        print(f"warning: the table of runs has no columns of its own: {error}", file=sys.stderr)  # noqa: T201
        return ""


def _contents() -> tuple[list[str], bool, str]:
    """Headline metrics, the most frequent first; whether values are published; the latest results in Markdown."""
    project = params.load()
    published = params.load_published(project)
    compared = read_results(project, published)
    tasks = Counter(project.task_of(name) for name in project.all_experiments)
    metrics = [headline_metric(task) for task, _ in tasks.most_common()]
    return metrics, any(entry.metrics for entry in published.values()), overview_table(overview(compared))


def _open(page: str) -> None:
    """Show a page in the user's browser if there is a screen: elsewhere a text browser would take over the terminal."""
    if any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")):
        with suppress(webbrowser.Error):
            webbrowser.open(page)


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
        store = dict.fromkeys(("MLFLOW_BACKEND_STORE_URI", "MLFLOW_REGISTRY_STORE_URI"), tracking_uri())
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
