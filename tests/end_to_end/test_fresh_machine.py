"""`.ci/fresh-machine`: a clone under a fresh user that finds Python, git and make, and of which nothing is left."""

import os
import pwd
import subprocess
import tempfile
from pathlib import Path

import pytest
from support.clones import clone_into

FOR_ALL = Path("/usr/bin/python3")  # a Python in somebody's home is of no use to another user
MAKEFILE = """
help:
	@echo path $(PATH) home $(HOME) user $$(id -un)
	@command -v uv pip docker gcc || echo nothing else
broken:
	@exit 3
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A clone whose README asks for `make help`."""
    if not FOR_ALL.exists():
        pytest.skip(f"NOT TRIED: a fresh user needs {FOR_ALL}")
    clone = clone_into(tmp_path / "clone")
    (clone / "Makefile").write_text(MAKEFILE)
    (clone / "README.md").write_text("```sh\nmake help   # tells\n```\n\n```sh\nmake broken\n```\n")
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    subprocess.run(["git", *identity, "commit", "-qam", "small"], cwd=clone, check=True)
    return clone


def fresh_machine(project: Path, *targets: str) -> subprocess.CompletedProcess:
    folder = project.with_name("temporary")
    folder.mkdir(mode=0o755)
    for parent in (*project.parents, folder):
        if parent.is_relative_to(tempfile.gettempdir()) and parent != Path(tempfile.gettempdir()):
            parent.chmod(parent.stat().st_mode | 0o011)  # the fresh user passes through pytest's folders
    users = {user.pw_name for user in pwd.getpwall()}
    surroundings = os.environ | {"PYTHON": str(FOR_ALL), "TMPDIR": str(folder), "SOMETHING": "of ours"}
    command = [project / ".ci" / "fresh-machine", *targets]
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, timeout=120)
    assert list(folder.iterdir()) == [], "something is left behind"
    assert {user.pw_name for user in pwd.getpwall()} == users, "a user is left behind"
    return done


def test_it_runs_the_commands_of_the_readme_with_nothing_else_around_and_times_them(project):
    done = fresh_machine(project)
    assert done.returncode == 0, done.stderr
    assert "nothing else" in done.stdout
    assert os.environ["PATH"] not in done.stdout
    assert os.environ.get("HOME", "/root") + "\n" not in done.stdout
    assert done.stdout.splitlines()[-1].endswith(" s  make -C modelyard help")
    if os.geteuid() == 0:
        assert " user fresh-" in done.stdout


def test_a_command_that_fails_fails_it(project):
    done = fresh_machine(project, "broken")
    assert done.returncode != 0
    assert "On a fresh machine:" not in done.stdout
