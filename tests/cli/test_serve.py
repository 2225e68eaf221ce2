"""`modelyard serve` as a process: its address, and how it ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.built_experiments import make_converted_project
from support.commands import modelyard


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_converted_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "host, message",
    [
        ("300.1.1.1", "there is no host 300.1.1.1 ("),
        ("192.0.2.1", "192.0.2.1 is not an address of this machine: choose another --host"),
    ],
)
def test_a_host_that_is_none_is_named(host, message, project):
    result = modelyard("serve", "fit", "--host", host, "--port", "0")
    assert result.exit_code == 1
    assert message in str(result.exception)


def test_a_port_that_is_taken_is_named(project):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = modelyard("serve", "fit", "--port", str(port))
    assert f"port {port} of 127.0.0.1 cannot be used (" in str(result.exception)


def test_a_request_that_is_half_sent_does_not_keep_the_server_from_ending(project):
    command = [sys.executable, "-m", "modelyard", "serve", "fit", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)
    port = int(process.stdout.readline().rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(60)
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n")
        assert b" 100 " in connection.recv(1000)  # it is read
        connection.sendall(b"{")
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        answer = b"".join(iter(lambda: connection.recv(1000), b"")).decode()
    _, errors = process.communicate(timeout=60)
    assert time.monotonic() - began < 10
    assert answer.startswith("HTTP/1.1 503 ")
    assert json.loads(answer.rpartition("\r\n")[2]) == {"error": "the server is being stopped: send the request again"}
    assert "Traceback" not in errors
