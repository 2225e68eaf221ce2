"""`.ci/fresh-machine`: runs commands in a clone as a new user with only Python, git and make, and cleans up."""

import os
import pwd
import subprocess
import tempfile
from pathlib import Path

import pytest
from support.clones import clone_into
from support.repositories import git

PYTHON = Path("/usr/bin/python3")  # another user cannot use a Python in a home directory
MAKEFILE = """
install:
	@echo "installed as `id -un`"
help:
	@echo path $(PATH) home $(HOME) user $$(id -un)
	@command -v uv pip docker gcc || echo nothing else
	@python3 -c 'import socket; socket.create_connection(("127.0.0.1", 9), 2)' 2>&1 | tail -1
	@python3 -c 'import socket; socket.create_connection(("192.0.2.1", 9), 2)' 2>&1 | tail -1
broken:
	@exit 3
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A clone whose README starts with `make help`."""
    if not PYTHON.exists():
        pytest.skip(f"NOT TRIED: a new user needs {PYTHON}")
    clone = clone_into(tmp_path / "clone")
    (clone / "Makefile").write_text(MAKEFILE)
    (clone / "README.md").write_text("```sh\nmake help   # list\n```\n\n```sh\nmake broken\n```\n")
    git(clone, "commit", "-qam", "small")
    return clone


def fresh_machine(project: Path, *targets: str) -> subprocess.CompletedProcess:
    folder = project.with_name("temporary")
    folder.mkdir(mode=0o755)
    for parent in (*project.parents, folder):
        if parent.is_relative_to(tempfile.gettempdir()) and parent != Path(tempfile.gettempdir()):
            parent.chmod(parent.stat().st_mode | 0o011)  # the new user must pass through pytest's folders
    users = {user.pw_name for user in pwd.getpwall()}
    environment = os.environ | {"PYTHON": str(PYTHON), "TMPDIR": str(folder), "OTHER": "variable"}
    command = [project / ".ci" / "fresh-machine", *targets]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert list(folder.iterdir()) == [], "files were not removed"
    assert {user.pw_name for user in pwd.getpwall()} == users, "the user was not removed"
    return done


def test_the_commands_of_the_readme_run_in_a_clean_environment_and_are_timed(project):
    done = fresh_machine(project)
    assert done.returncode == 0, done.stderr
    assert "nothing else" in done.stdout
    assert os.environ["PATH"] not in done.stdout
    assert os.environ.get("HOME", "/root") + "\n" not in done.stdout
    assert done.stdout.splitlines()[-1].endswith(" s  make -C modelyard help")
    if os.geteuid() == 0:
        assert " user fresh-" in done.stdout
        assert "Connection refused" in done.stdout, "no loopback device"
        assert "Network is unreachable" in done.stdout
        assert "without a network after the installation" in done.stdout


def test_a_failing_command_makes_it_fail(project):
    done = fresh_machine(project, "broken")
    assert done.returncode != 0
    assert "On a fresh machine:" not in done.stdout
