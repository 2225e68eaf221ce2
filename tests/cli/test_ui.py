"""`modelyard ui`: the server's start, its end, and where it must not start."""

import os
import shutil
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.commands import modelyard

from modelyard.cli import ui

Serve = Callable[..., tuple[int, str]]
PAGE = "/#/experiments/1/runs?view"
SERVER = """
import os, signal, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer
class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).handle_request()
"""


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
def serve(
    project: Path,
    empty_store: Path,
    free_port: int,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Serve:
    """The exit code and output of `modelyard ui` with a Python program in the place of MLflow's server."""
    shutil.copy(empty_store, project / "mlflow.db")

    def serve(program: str, page: Callable[[], str] = lambda: PAGE) -> tuple[int, str]:
        monkeypatch.setattr(ui, "_command", lambda port: [sys.executable, "-c", program, str(port)])
        monkeypatch.setattr(ui, "_page", page)
        return ui.serve(free_port), capfd.readouterr().out

    return serve


@pytest.mark.usefixtures("project")
def test_a_taken_port_is_refused_with_another(taken_port: int):
    result = modelyard("ui", "--port", str(taken_port))
    assert result.exit_code == 1
    assert f"port {taken_port} is taken; choose another, such as: modelyard ui --port {taken_port - 1}" in result.output


def test_the_address_is_printed_once_the_server_answers(serve: Serve, free_port: int):
    code, output = serve(SERVER)
    assert code == 0
    assert f"Open http://127.0.0.1:{free_port}{PAGE} in the browser" in output
    assert "choose *Model training* once" in output


def test_the_server_is_given_its_registry_and_no_warning_of_a_library(serve: Serve):
    names = "'MLFLOW_REGISTRY_STORE_URI', 'MLFLOW_BACKEND_STORE_URI', 'PYTHONWARNINGS'"
    _, output = serve(f"import os; print(*map(os.environ.get, ({names})), sep='\\n')")
    registry, store, warnings = output.splitlines()[-3:]
    assert registry == store != "None"
    assert "starlette" in warnings


@pytest.mark.parametrize("is_current, order", [(True, ["page", "server"]), (False, ["server", "page"])])
def test_a_database_that_must_be_migrated_is_left_to_the_server_first(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, is_current: bool, order: list[str]
):
    done: list[str] = []
    wait = ui._wait_until_it_answers
    monkeypatch.setattr(ui, "database_file", lambda: Path("mlflow.db"))
    monkeypatch.setattr(ui, "is_current", lambda *_: is_current)
    monkeypatch.setattr(ui, "_wait_until_it_answers", lambda *given: wait(*given) and not done.append("server"))
    monkeypatch.setattr(ui, "_contents", lambda: ([], False, ""))
    monkeypatch.setattr(ui.runs_page, "prepare", lambda *_: done.append("page") or PAGE)
    page = ui._page
    code, output = serve(SERVER, page)
    assert (code, done) == (0, order)
    assert PAGE in output


def test_a_database_of_an_older_schema_is_copied_before_the_server_migrates_it(serve: Serve, project: Path):
    with closing(sqlite3.connect(project / "mlflow.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = 'an_old_one'")
        database.commit()
    copied_first = "import glob; sys.exit(0 if glob.glob('mlflow.db.an_old_one.*.backup') else 5)"
    assert serve("import sys; " + copied_first)[0] == 0


@pytest.mark.parametrize("variable, opened", [("DISPLAY", 1), ("WAYLAND_DISPLAY", 1), ("OTHER", 0)])
def test_the_page_is_opened_where_there_is_a_screen(
    serve: Serve, free_port: int, monkeypatch: pytest.MonkeyPatch, variable: str, opened: int
):
    pages = []
    monkeypatch.setattr(ui.webbrowser, "open", pages.append)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, ":0")
    serve(SERVER)
    assert pages == [f"http://127.0.0.1:{free_port}{PAGE}"] * opened


def test_no_address_is_printed_of_a_server_that_does_not_start(serve: Serve):
    code, output = serve("raise SystemExit(7)")
    assert code == 7
    assert "http" not in output.replace("sqlite", "")


def test_ctrl_c_stops_the_command_and_its_server(serve: Serve, project: Path):
    interrupted = "open('pid', 'w').write(str(os.getpid())); os.kill(os.getppid(), signal.SIGINT); time.sleep(60)"
    assert serve(SERVER + interrupted)[0] == 130
    with pytest.raises(ProcessLookupError):
        os.kill(int((project / "pid").read_text()), 0)


def test_the_server_itself_does_not_receive_ctrl_c(serve: Serve):
    assert serve(SERVER + "os.kill(os.getpid(), signal.SIGINT)")[0] == 0


@pytest.mark.usefixtures("project")
def test_where_runs_are_on_a_server_its_address_is_printed_without_the_password(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://ann:hush@mlflow.example.org")
    result = modelyard("ui")
    assert result.exit_code == 1
    assert "the runs are on a server" in result.output
    assert "mlflow.example.org" in result.output
    assert "hush" not in result.output


def test_the_server_is_given_the_address_out_of_sight_of_other_users(serve: Serve, project: Path, free_port: int):
    _, output = serve("import os; print(os.environ['MLFLOW_BACKEND_STORE_URI'])")
    assert output.splitlines()[-1] == f"sqlite:///{project / 'mlflow.db'}"


@pytest.mark.usefixtures("project")
def test_a_folder_of_runs_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "./mlruns")
    result = modelyard("ui")
    assert (result.exit_code, "MLFLOW_TRACKING_URI=./mlruns is a folder" in result.output) == (1, True)


def test_outside_a_project_nothing_is_started_or_created(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ui, "_start", lambda _: pytest.fail("started"))
    result = modelyard("ui")
    assert (result.exit_code, f"error: {tmp_path}/params.yaml: no such file. Run from the" in result.output) == (
        1,
        True,
    )
    assert not list(tmp_path.iterdir())
