"""The fork server, with clients in processes of their own as the stages have them."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from support.waiting import wait_until

from modelyard.orchestration import fork_server

BOUND = 50.0  # seconds; for a loaded machine, and less than the 60 that scripts sleep

REPORTING = """
import json, os, sys
report = {"arguments": sys.argv[1:], "folder": os.getcwd(), "word": os.environ.get("WORD"),
        "cores": sorted(os.sched_getaffinity(0)), "imported": "fractions" in sys.modules}
print(json.dumps(report))
sys.exit(7)
"""
ENDING = """
import atexit, gc
print("frozen", gc.get_freeze_count() > 1000)
atexit.register(lambda: print("cleaned up"))
raise SystemExit("error: a message")
"""
WAITING = """
import os, pathlib, time
pathlib.Path("pid").write_text(str(os.getpid()))
try:
    time.sleep(60)
except KeyboardInterrupt:
    pathlib.Path("interrupted").touch()
    raise SystemExit(5)
"""


@pytest.fixture
def server() -> Iterator[None]:
    with fork_server.running_server(["fractions"]):
        wait_until(Path(os.environ[fork_server.VARIABLE]).exists, BOUND)
        yield


def run(folder: Path, script: str, *arguments: str, **more: str) -> subprocess.Popen:
    """Start a client that runs a script in a folder."""
    (folder / "script.py").write_text(script)
    command = [sys.executable, "-PES", fork_server.__file__, "run", "script.py", *arguments]
    return subprocess.Popen(command, cwd=folder, env=os.environ | more, stdout=subprocess.PIPE, text=True)


def json_of(process: subprocess.Popen) -> dict:
    return json.loads(process.stdout.read())


def wait_for(file: Path) -> str:
    wait_until(lambda: file.exists() and file.read_text(), BOUND)
    return file.read_text()


@pytest.mark.usefixtures("server")
def test_a_script_runs_with_imported_libraries_in_the_client_s_environment(tmp_path):
    cores = {min(os.sched_getaffinity(0))}
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        process = run(tmp_path, REPORTING, "--flag", "value", WORD="given")
    finally:
        os.sched_setaffinity(0, before)
    assert json_of(process) == {
        "arguments": ["--flag", "value"],
        "folder": str(tmp_path),
        "word": "given",
        "cores": sorted(cores),
        "imported": True,
    }
    assert process.wait(BOUND) == 7


@pytest.mark.usefixtures("server")
def test_a_script_ends_as_a_process_of_its_own_does_and_its_collector_leaves_the_libraries_alone(tmp_path, capfd):
    process = run(tmp_path, ENDING)
    assert process.stdout.read() == "frozen True\ncleaned up\n"
    assert process.wait(BOUND) == 1
    assert capfd.readouterr().err == "error: a message\n"


FOLLOWING = """
import os, pathlib, threading, time
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
pathlib.Path("pid").write_text(str(os.getpid()))
time.sleep(60)
"""


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one core only")
@pytest.mark.usefixtures("server")
def test_every_thread_of_a_script_follows_the_cores_of_its_client(tmp_path):
    process = run(tmp_path, FOLLOWING)
    script = psutil.Process(int(wait_for(tmp_path / "pid")))
    for cores in ({min(os.sched_getaffinity(0))}, os.sched_getaffinity(0)):
        os.sched_setaffinity(process.pid, cores)
        wait_until(lambda: all(os.sched_getaffinity(each.id) == cores for each in script.threads()), BOUND)  # noqa: B023
    assert len(script.threads()) == 2
    process.terminate()
    process.wait(BOUND)


def test_without_a_server_the_client_runs_the_script(tmp_path, monkeypatch):
    monkeypatch.setenv(fork_server.VARIABLE, str(tmp_path / "nobody"))
    process = run(tmp_path, REPORTING)
    assert json_of(process)["folder"] == str(tmp_path)
    assert process.wait(BOUND) == 7


def test_the_client_of_a_server_that_ends_while_it_imports_runs_the_script(tmp_path, monkeypatch):
    monkeypatch.setenv(fork_server.VARIABLE, str(tmp_path / "socket"))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        process = run(tmp_path, REPORTING)
        connection, _ = listener.accept()
        select.select([connection], [], [])  # the request is there, and nobody has read it
        connection.close()
    assert json_of(process)["folder"] == str(tmp_path)
    assert process.wait(BOUND) == 7


@pytest.mark.usefixtures("server")
def test_an_interrupted_client_interrupts_its_script(tmp_path):
    process = run(tmp_path, WAITING)
    wait_for(tmp_path / "pid")
    process.send_signal(signal.SIGINT)
    assert process.wait(BOUND) == 5
    assert (tmp_path / "interrupted").exists()


@pytest.mark.usefixtures("server")
def test_the_script_of_a_killed_client_is_killed(tmp_path):
    process = run(tmp_path, WAITING)
    pid = int(wait_for(tmp_path / "pid"))
    process.kill()
    process.wait()
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), BOUND)


def test_the_server_leaves_nothing_behind(tmp_path):
    with fork_server.running_server(["fractions"]):
        process = run(tmp_path, REPORTING)
        assert process.wait(BOUND) == 7
        folder = Path(os.environ[fork_server.VARIABLE]).parent
    assert fork_server.VARIABLE not in os.environ
    assert not folder.exists()


@pytest.mark.parametrize("module", ["fractions", "imported_for_a_minute"])
def test_the_server_of_a_killed_process_ends_and_leaves_nothing_behind(module, tmp_path, monkeypatch):
    (tmp_path / "imported_for_a_minute.py").write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    starter = (
        "import os, time\n"
        "from modelyard.orchestration.fork_server import VARIABLE, running_server\n"
        f"with running_server(['{module}']):\n"
        "    print(os.environ[VARIABLE], flush=True)\n"
        "    time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE, text=True)
    path = Path(process.stdout.readline().strip())
    wait_until(path.exists, BOUND)
    (server,) = psutil.Process(process.pid).children()
    process.kill()
    process.wait()
    wait_until(lambda: not server.is_running() and not path.parent.exists(), BOUND)
