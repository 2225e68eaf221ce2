"""A real PostgreSQL server for tests and benchmarks: Debian's, on a loopback port, in a temporary folder.

tests/conftest.py makes its fixtures known to every test.
"""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

USER = "postgres"  # a server refuses to run as root
MISSING = "NO POSTGRESQL: nothing is tested with a real server; apt-get install postgresql"


def installed() -> Path | None:
    """The folder of the programs of Debian's newest PostgreSQL, or None if it is not installed."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return programs[-1].parent if programs else None


@contextmanager
def serving(programs: Path, *settings: str) -> Iterator[int]:
    """Run a server during the block, with settings such as `fsync=off`; gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="postgresql"))
    if os.geteuid() == 0:
        shutil.chown(folder, USER, USER)
    _run(programs / "initdb", "--auth=trust", "--username=postgres", "--no-sync", "-D", folder / "data")
    options = " ".join(["-h 127.0.0.1", f"-p {port}", f"-k {folder}", *(f"-c {each}" for each in settings)])
    _run(programs / "pg_ctl", "start", "-w", "-D", folder / "data", "-l", folder / "log", "-o", options)
    try:
        yield port
    finally:
        _run(programs / "pg_ctl", "stop", "-m", "immediate", "-D", folder / "data")
        _run(
            "find", folder, "-mindepth", "1", "-delete"
        )  # as its user: root without all rights cannot delete its files
        folder.rmdir()


def fresh_database(programs: Path, port: int) -> str:
    """Create a database and return its URL."""
    name = f"test_{uuid4().hex}"
    _run(programs / "createdb", "-h", "127.0.0.1", "-p", str(port), "-U", USER, name)
    return f"postgresql+psycopg://{USER}@127.0.0.1:{port}/{name}"


def _run(*command: str | Path) -> None:
    """Run a program of PostgreSQL, as its user if we are root; a failure shows its output."""
    user = USER if os.geteuid() == 0 else None
    done = subprocess.run(
        command, user=user, group=user, extra_groups=[] if user else None, cwd="/", timeout=60,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}:\n{done.stdout}"


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[tuple[Path, int]]:
    """A server for all tests of this process: the folder of its programs and its port."""
    programs = installed() or pytest.skip(MISSING)
    with serving(programs, "fsync=off") as port:
        yield programs, port


@pytest.fixture
def postgresql(postgresql_server: tuple[Path, int]) -> str:
    """The URL of a new database."""
    return fresh_database(*postgresql_server)
