"""Builds the images and runs them with docker or podman: `make container-test`."""

import json
import os
import random
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from ruamel.yaml import YAML

from container.commands import ROOT, run, run_command, succeeded
from modelyard.core.machine import VARIABLES

SMALL = ("xor_mlp", "boston_linear", "boston_boosting", "boston_mlp_standard", "digits_cnn", "mnist_5k_mlp")
PASSWORD = "a long password"  # noqa: S105
START_SECONDS = 120
TARGETS = ("pipeline", "worker", "server", "serving", "serving-keras")

# Prints every file and program that an image must not hold.
UNWANTED = r"""
for each in gcc cc g++ make uv pytest ruff; do command -v $each; done
for each in /var/lib/apt/lists /root/.cache /tmp; do ls -A $each 2> /dev/null; done
find / -xdev \( -name .git -o -name .env -o -name '*.keras' -o -name '*.skops' -o -path /opt/uv \) 2> /dev/null
find /opt/modelyard -name '*.np[yz]' -o -name config.local
true
"""


class Project:
    """Runs commands in a volume at /project as an unnamed user, without network, with a read-only root file system.

    It has this machine's variables that choose other code to compute with, because its results are compared.
    """

    def __init__(self, volume: str, start: Callable, image: str) -> None:
        user = random.randrange(20_000, 60_000)  # noqa: S311 (any user will do)
        self._start, self._image = start, image
        self._options = [
            "--read-only", "--tmpfs=/tmp", "--network=none", "--cap-drop=ALL", f"--user={user}:{user}",
            f"--volume={volume}:/project", *(f"--env={name}" for name in VARIABLES if name in os.environ),
        ]  # fmt: skip

    def run(self, *command: str, seconds: int = 120) -> subprocess.CompletedProcess:
        return self._start(*self._options, self._image, *command, seconds=seconds)

    def read(self, file: str) -> str:
        return succeeded(self.run("cat", file))


@pytest.fixture(scope="module")
def host_stages() -> dict:
    """The stages of dvc.lock after the small experiments were built on this machine."""
    modelyard = Path(sys.executable).parent / "modelyard"
    succeeded(run(str(modelyard), "run", "--strict", *SMALL, seconds=1800))
    return YAML(typ="safe").load(ROOT / "dvc.lock")["stages"]


@pytest.fixture(scope="module")
def project(engine: str, image: Callable, in_container: Callable) -> Iterator[Project]:
    """A project built from scratch by the pipeline image, from the data in the image alone."""
    volume = f"modelyard-{uuid4().hex}"
    built = Project(volume, in_container, image("pipeline"))
    try:
        command = f"rm -r dvc.lock results && modelyard run --strict {' '.join(SMALL)}"
        print(succeeded(built.run("sh", "-c", command, seconds=1800)))  # noqa: T201
        yield built
    finally:
        run(engine, "volume", "rm", "--force", volume)


def test_tests_pass_in_the_image(image):
    image("test")


def test_experiments_give_the_same_results_as_on_the_host_without_network_and_git(project, host_stages):
    stages = YAML(typ="safe").load(project.read("dvc.lock"))["stages"]
    assert {f"{stage}@{name}" for stage in ("train", "evaluate") for name in SMALL} < set(stages)
    assert stages == {name: host_stages[name] for name in stages}
    for name in SMALL:
        file = f"results/{name}/metrics.json"
        assert project.read(file) == (ROOT / file).read_text(encoding="utf-8")


def test_dvc_status_is_up_to_date_in_the_container(project):
    output = succeeded(project.run("dvc", "status", *(f"evaluate@{name}" for name in SMALL)))
    assert "up to date" in output


def test_a_second_run_in_the_same_volume_builds_nothing(project):
    output = succeeded(project.run("modelyard", "run", *SMALL))
    assert "built" not in output.rpartition("Stages:")[2]


def test_a_missing_data_mount_is_reported_with_the_fix(image, in_container):
    command = ["modelyard", "run", "--strict", "-v", "reuters_majority"]
    done = in_container("--network=none", "--tmpfs=/tmp", image("pipeline"), *command)
    assert done.returncode == 1
    assert "no data is mounted at /data" in done.stdout
    assert "/data/reuters/reuters.npz" in done.stdout


def test_a_project_folder_that_is_not_writable_is_refused(image, in_container, tmp_path):
    tmp_path.chmod(0o755)
    done = in_container(f"--volume={tmp_path}:/project:ro", image("pipeline"))
    assert done.returncode == 1
    assert "user 10001 cannot write to /project" in done.stdout


def test_a_worker_without_a_study_or_a_database_is_refused(image, in_container):
    done = in_container(image("worker"))
    assert (done.returncode, "STUDY is not set" in done.stdout) == (1, True)
    done = in_container("--env=STUDY=digits_cnn", image("worker"))
    assert (done.returncode, "MODELYARD_OPTUNA_STORAGE is not set" in done.stdout) == (1, True)


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_has_an_unprivileged_user_and_labels(target, image, engine):
    config = json.loads(succeeded(run(engine, "image", "inspect", image(target))))[0]["Config"]
    assert config["User"] == "10001:10001"
    assert config["Labels"]["org.opencontainers.image.title"] == "Modelyard"
    assert config["Labels"]["org.opencontainers.image.revision"] != "unknown"


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_holds_no_compiler_cache_data_or_development_tool(target, image, in_container):
    assert succeeded(in_container("--entrypoint=sh", image(target), "-c", UNWANTED)) == ""


def test_no_layer_contains_a_password(image, engine):
    for target in TARGETS:
        history = succeeded(run(engine, "history", "--no-trunc", "--format={{.CreatedBy}}", image(target)))
        assert "password" not in history.lower()


class Server:
    """MLflow's server in a container, on a port of this machine."""

    def __init__(self, engine: str, image: str, name: str, port: int) -> None:
        self._engine, self._image, self._name, self.port = engine, image, name, port

    def status(self, path: str, password: str = "") -> int:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}")
        if password:
            request.add_header("Authorization", f"Basic {b64encode(f'admin:{password}'.encode()).decode()}")
        try:
            return urllib.request.urlopen(request, timeout=60).status  # noqa: S310
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while self.status("/health") != 200:
            assert time.monotonic() < deadline, run(self._engine, "logs", self._name).stdout
            time.sleep(1)

    def health(self) -> int:
        """The exit code of the image's own HEALTHCHECK."""
        inspected = json.loads(succeeded(run(self._engine, "image", "inspect", self._image)))[0]
        check = (inspected["Config"].get("Healthcheck") or inspected["Healthcheck"])["Test"]  # docker, podman
        return run(self._engine, "exec", self._name, *check[1:]).returncode


@pytest.fixture(scope="module")
def server(engine: str, image: Callable) -> Iterator[Server]:
    """A server on a free port, without a database server: it stores runs in its volume."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    name = f"modelyard-{uuid4().hex}"
    options = [
        "--network=host",
        "--read-only",
        "--tmpfs=/tmp",
        "--tmpfs=/srv/mlflow:mode=1777",
        f"--env=MLFLOW_PORT={port}",
    ]
    secret = f"--env=MLFLOW_AUTH_ADMIN_PASSWORD={PASSWORD}"
    succeeded(run(*run_command(engine), "--detach", f"--name={name}", *options, secret, image("server")))
    try:
        started = Server(engine, image("server"), name, port)
        started.wait()
        yield started
    finally:
        run(engine, "rm", "--force", name)


def test_the_server_is_healthy_and_requires_a_password(server):
    assert server.health() == 0
    path = "/api/2.0/mlflow/experiments/get?experiment_id=0"
    assert [server.status(path), server.status(path, "a guess"), server.status(path, PASSWORD)] == [401, 401, 200]


def test_a_port_in_use_is_reported(server, image, in_container):
    options = ["--network=host", f"--env=MLFLOW_PORT={server.port}", f"--env=MLFLOW_AUTH_ADMIN_PASSWORD={PASSWORD}"]
    done = in_container(*options, image("server"))
    assert done.returncode == 1
    assert f"port {server.port} cannot be used" in done.stdout


def test_a_server_without_a_password_does_not_start(image, in_container):
    done = in_container(image("server"))
    assert (done.returncode, "MLFLOW_AUTH_ADMIN_PASSWORD is not set" in done.stdout) == (1, True)


def test_the_server_waits_for_its_database_and_names_it_at_the_timeout(image, in_container):
    store = "--env=MLFLOW_BACKEND_STORE_URI=postgresql+psycopg://mlflow:hush@127.0.0.1:9/mlflow"
    done = in_container("--network=host", store, "--env=MODELYARD_WAIT_SECONDS=3", image("server"))
    assert done.returncode == 1
    assert "waiting for postgresql+psycopg://mlflow:***@127.0.0.1:9/mlflow" in done.stdout
    assert "has not answered for 3 s" in done.stdout
    assert "hush" not in done.stdout
