"""Runs the commands of docker or podman for the tests of the images and of the servers."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What depends on an image: another user, another Python, other system libraries. FULL=1 runs all tests instead.
# The bytes of data and trained models are compared with the host's (test_image.py).
TESTS_IN_IMAGE = ("tests/core", "tests/orchestration", "tests/test_container.py")


def run(*command: str, seconds: int = 120, **options: object) -> subprocess.CompletedProcess:
    """Run a command with a time limit; its stdout holds both output streams."""
    return subprocess.run(
        command, cwd=ROOT, timeout=seconds, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, **options,
    )  # fmt: skip


def succeeded(done: subprocess.CompletedProcess) -> str:
    """Return a command's output; fail with its last lines if the command failed."""
    assert done.returncode == 0, "\n".join([" ".join(done.args), *done.stdout.splitlines()[-60:]])
    return done.stdout


def run_command(engine: str) -> list[str]:
    """The command that starts a container; podman cannot repeat a health check without systemd, and would fail."""
    return [engine, "run", *(["--no-healthcheck"] if engine == "podman" else [])]
