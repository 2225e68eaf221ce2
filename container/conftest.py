"""The engine of this machine and the images built with it: each once, however many tests use it."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
STAND_IN = "localhost/python:3.11-slim-bookworm"
BUILD_SECONDS = 3600
# What depends on an image: other users, another Python, other libraries of the system. FULL=1 runs all.
FEW_TESTS = " ".join(
    f"tests/test_{name}.py"
    for name in (
        "archives", "architecture", "config", "container", "datacard", "errors", "files", "lineage", "metrics",
        "models_archive", "models_estimator", "models_families", "runner", "scaling", "settings", "splits",
    )
)  # fmt: skip


def run(*command: str, seconds: int = 120, **options: object) -> subprocess.CompletedProcess:
    """Run a command that ends by itself; what it says on both streams is its stdout."""
    return subprocess.run(
        command, cwd=ROOT, timeout=seconds, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, **options,
    )  # fmt: skip


def succeeded(done: subprocess.CompletedProcess) -> str:
    """What a command said, if it ended well; else the end of it is shown."""
    assert done.returncode == 0, "\n".join([" ".join(done.args), *done.stdout.splitlines()[-60:]])
    return done.stdout


def begin(engine: str) -> list[str]:
    """The command that begins a container; without systemd podman cannot repeat a health check, and gives up."""
    return [engine, "run", *(["--no-healthcheck"] if engine == "podman" else [])]


@pytest.fixture(scope="session")
def engine() -> str:
    """docker if its daemon answers, else podman."""
    if shutil.which("docker") and run("docker", "info").returncode == 0:
        return "docker"
    if shutil.which("podman"):
        return "podman"
    pytest.exit("no engine: neither does a docker daemon answer, nor is there podman. Install one of them.", 1)


@pytest.fixture(scope="session")
def image(engine: str) -> Callable[[str], str]:
    """Builds a target of the Dockerfile, or of a file beside it, and gives the image's name."""
    here_alone = engine == "podman" and run("podman", "image", "exists", STAND_IN).returncode == 0
    revision = run("git", "describe", "--always", "--dirty").stdout.strip()
    options = ["--build-arg", f"REVISION={revision}", *(["--pull=never"] if here_alone else [])]
    if not os.environ.get("FULL"):
        options += ["--build-arg", f"TESTS={FEW_TESTS}"]
    built: dict[str, str] = {}

    def build(target: str, file: str = "Dockerfile") -> str:
        if target not in built:
            name = f"localhost/modelyard:{target}"
            command = [engine, "build", *options, "--file", file, "--target", target, "--tag", name, "."]
            print(succeeded(run(*command, seconds=BUILD_SECONDS)))  # noqa: T201 (pytest shows it where a test fails)
            built[target] = name
        return built[target]

    return build


@pytest.fixture(scope="session")
def in_container(engine: str) -> Callable[..., subprocess.CompletedProcess]:
    """Runs a command in a container of its own, bounded, which is gone afterwards."""

    def start(*options_and_command: str, seconds: int = 120) -> subprocess.CompletedProcess:
        return run(*begin(engine), "--rm", *options_and_command, seconds=seconds)

    return start
