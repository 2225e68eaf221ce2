"""A real PostgreSQL for tests: Debian's, on a loopback port, with its files in a temporary folder.

A test module takes it by `from postgresql import postgresql, postgresql_server`.
"""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

USER = "postgres"  # a server refuses to run as root


def _programs() -> Path:
    """The folder of the newest server that Debian's `postgresql` brings."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        pytest.skip("NO POSTGRESQL: nothing is tested against a real server; apt-get install postgresql")
    return found[-1].parent


def _run(*command: str | Path) -> None:
    """Run a program of PostgreSQL, as its user where we are root; what it says is told if it fails."""
    user = USER if os.geteuid() == 0 else None
    done = subprocess.run(
        command, user=user, group=user, extra_groups=[] if user else None, cwd="/", timeout=60,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}:\n{done.stdout}"


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[tuple[Path, int]]:
    """A server for all tests of this process: the folder of its programs, and its port."""
    programs = _programs()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="postgresql"))
    if os.geteuid() == 0:
        shutil.chown(folder, USER, USER)
    _run(programs / "initdb", "--auth=trust", "--username=postgres", "--no-sync", "-D", folder / "data")
    options = f"-h 127.0.0.1 -p {port} -k {folder} -c fsync=off"
    _run(programs / "pg_ctl", "start", "-w", "-D", folder / "data", "-l", folder / "log", "-o", options)
    try:
        yield programs, port
    finally:
        _run(programs / "pg_ctl", "stop", "-m", "immediate", "-D", folder / "data")
        _run(
            "find", folder, "-mindepth", "1", "-delete"
        )  # its files are its own, and a bounded root may not touch them
        folder.rmdir()


@pytest.fixture
def postgresql(postgresql_server: tuple[Path, int]) -> str:
    """The URL of a fresh database."""
    programs, port = postgresql_server
    name = f"test_{uuid4().hex}"
    _run(programs / "createdb", "-h", "127.0.0.1", "-p", str(port), "-U", USER, name)
    return f"postgresql+psycopg://{USER}@127.0.0.1:{port}/{name}"
