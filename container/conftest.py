"""The container engine of this machine, and the images built with it once per test session."""

import os
import shutil
import subprocess
from collections.abc import Callable

import pytest

from container.commands import TESTS_IN_IMAGE, run, run_command, succeeded

LOCAL_BASE_IMAGE = "localhost/python:3.11-slim-bookworm"
BUILD_SECONDS = 3600


@pytest.fixture(scope="session")
def engine() -> str:
    """The command `docker` if its daemon answers, else podman."""
    if shutil.which("docker") and run("docker", "info").returncode == 0:
        return "docker"
    if shutil.which("podman"):
        return "podman"
    pytest.exit("no container engine: no docker daemon answers and podman is not installed. Install one of them.", 1)


@pytest.fixture(scope="session")
def image(engine: str) -> Callable[[str], str]:
    """Builds a target of the Dockerfile, or of another file, and returns the image's name."""
    has_local_base = engine == "podman" and run("podman", "image", "exists", LOCAL_BASE_IMAGE).returncode == 0
    revision = run("git", "describe", "--always", "--dirty").stdout.strip()
    options = ["--build-arg", f"REVISION={revision}", *(["--pull=never"] if has_local_base else [])]
    if not os.environ.get("FULL"):
        options += ["--build-arg", f"TESTS={' '.join(TESTS_IN_IMAGE)}"]
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
    """Runs a command with a time limit in a container that is removed afterwards."""

    def start(*options_and_command: str, seconds: int = 120) -> subprocess.CompletedProcess:
        return run(*run_command(engine), "--rm", *options_and_command, seconds=seconds)

    return start
