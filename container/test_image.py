"""The images, built and run for real: `make container-test`."""

import json
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
from conftest import ROOT, begin, run, succeeded
from ruamel.yaml import YAML

SMALL = (
    "xor_mlp", "boston_linear", "boston_boosting", "boston_mlp_standard", "diabetes_mlp_standard", "digits_cnn",
)  # fmt: skip
PASSWORD = "a long password"  # noqa: S105
ANSWER_SECONDS = 120
TARGETS = ("pipeline", "worker", "server")

# Prints what should not be there.
UNWANTED = r"""
for each in gcc cc g++ make uv pytest ruff; do command -v $each; done
for each in /var/lib/apt/lists /root/.cache /tmp; do ls -A $each 2> /dev/null; done
find / -xdev \( -name .git -o -name .env -o -name '*.keras' -o -name '*.skops' -o -path /opt/uv \) 2> /dev/null
find /opt/modelyard -name '*.np[yz]' -o -name config.local
true
"""


class Work:
    """A volume for /project, and commands in it as a user without a name, without network, on a read-only root."""

    def __init__(self, volume: str, start: Callable, image: str, mirror: Path) -> None:
        user = random.randrange(20_000, 60_000)  # noqa: S311 (any user will do)
        self._start, self._image = start, image
        self._options = [
            "--read-only", "--tmpfs=/tmp", "--network=none", "--cap-drop=ALL", f"--user={user}:{user}",
            f"--volume={volume}:/project", f"--volume={mirror}:/data:ro",
        ]  # fmt: skip

    def run(self, *command: str, seconds: int = 120) -> subprocess.CompletedProcess:
        return self._start(*self._options, self._image, *command, seconds=seconds)

    def read(self, file: str) -> str:
        return succeeded(self.run("cat", file))


@pytest.fixture(scope="module")
def here() -> dict:
    """dvc.lock after the small experiments were brought up to date on this machine."""
    modelyard = Path(sys.executable).parent / "modelyard"
    succeeded(run(str(modelyard), "run", "--strict", *SMALL, seconds=1800))
    return YAML(typ="safe").load(ROOT / "dvc.lock")["stages"]


@pytest.fixture(scope="module")
def work(
    engine: str, image: Callable, in_container: Callable, here: dict, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Work]:
    """A project that the pipeline's image has built from nothing, with the raw files of this machine as its mirror."""
    mirror = tmp_path_factory.mktemp("mirror")
    (mirror / "boston-housing").mkdir()
    raw = ROOT / "data" / "raw" / "boston" / "boston_housing.npz"
    (mirror / "boston-housing" / raw.name).write_bytes(raw.read_bytes())
    for folder in (mirror.parent, mirror):  # pytest's folders are for their owner alone
        folder.chmod(0o755)
    volume = f"modelyard-{uuid4().hex}"
    project = Work(volume, in_container, image("pipeline"), mirror)
    try:
        from_nothing = f"rm -r dvc.lock results && modelyard run --strict {' '.join(SMALL)}"
        print(succeeded(project.run("sh", "-c", from_nothing, seconds=1800)))  # noqa: T201
        yield project
    finally:
        run(engine, "volume", "rm", "--force", volume)


def test_the_tests_pass_in_the_image(image):
    image("test")


def test_small_experiments_come_out_as_on_the_host_for_any_user_without_network_and_git(work, here):
    there = YAML(typ="safe").load(work.read("dvc.lock"))["stages"]
    assert {f"{stage}@{name}" for stage in ("train", "evaluate") for name in SMALL} < set(there)
    assert there == {name: here[name] for name in there}
    for name in SMALL:
        file = f"results/{name}/metrics.json"
        assert work.read(file) == (ROOT / file).read_text(encoding="utf-8")


def test_dvc_finds_there_that_all_is_up_to_date(work):
    said = succeeded(work.run("dvc", "status", *(f"evaluate@{name}" for name in SMALL)))
    assert "up to date" in said


def test_a_second_run_in_the_same_volume_leaves_all_as_it_is(work):
    said = succeeded(work.run("modelyard", "run", *SMALL))
    assert "built" not in said.rpartition("Stages:")[2]


def test_data_that_is_not_mounted_is_told_with_what_to_do(image, in_container):
    command = ["modelyard", "run", "--strict", "boston_linear"]
    done = in_container("--network=none", "--tmpfs=/tmp", image("pipeline"), *command)
    assert done.returncode == 1
    assert "no data is mounted at /data" in done.stdout
    assert "boston_housing.npz cannot be had" in done.stdout
    assert "/data/boston-housing/boston_housing.npz" in done.stdout


def test_a_folder_that_cannot_be_written_is_told_with_its_owner(image, in_container, tmp_path):
    tmp_path.chmod(0o755)
    done = in_container(f"--volume={tmp_path}:/project:ro", image("pipeline"))
    assert done.returncode == 1
    assert "user 10001 cannot write to /project" in done.stdout


def test_a_worker_without_a_study_and_without_a_database_is_told(image, in_container):
    done = in_container(image("worker"))
    assert (done.returncode, "STUDY is not set" in done.stdout) == (1, True)
    done = in_container("--env=STUDY=digits_cnn", image("worker"))
    assert (done.returncode, "MODELYARD_OPTUNA_STORAGE is not set" in done.stdout) == (1, True)


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_is_run_by_a_user_without_power_and_says_what_it_is(target, image, engine):
    found = json.loads(succeeded(run(engine, "image", "inspect", image(target))))[0]["Config"]
    assert found["User"] == "10001:10001"
    assert found["Labels"]["org.opencontainers.image.title"] == "Modelyard"
    assert found["Labels"]["org.opencontainers.image.revision"] != "unknown"


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_holds_no_compiler_no_cache_no_data_and_nothing_that_only_developers_use(target, image, in_container):
    assert succeeded(in_container("--entrypoint=sh", image(target), "-c", UNWANTED)) == ""


def test_no_layer_names_a_password(image, engine):
    for target in TARGETS:
        history = succeeded(run(engine, "history", "--no-trunc", "--format={{.CreatedBy}}", image(target)))
        assert "password" not in history.lower()


class Server:
    """MLflow's server in a container, at a port of this machine."""

    def __init__(self, engine: str, image: str, name: str, port: int) -> None:
        self._engine, self._image, self._name, self.port = engine, image, name, port

    def status(self, path: str, password: str = "") -> int:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}")
        if password:
            request.add_header("Authorization", f"Basic {b64encode(f'admin:{password}'.encode()).decode()}")
        try:
            return urllib.request.urlopen(request, timeout=10).status  # noqa: S310
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def wait(self) -> None:
        ends = time.monotonic() + ANSWER_SECONDS
        while self.status("/health") != 200:
            said = run(self._engine, "logs", self._name).stdout
            assert time.monotonic() < ends, said
            time.sleep(1)

    def health(self) -> int:
        """The exit code of the image's own HEALTHCHECK."""
        told = json.loads(succeeded(run(self._engine, "image", "inspect", self._image)))[0]
        check = (told["Config"].get("Healthcheck") or told["Healthcheck"])["Test"]  # docker's place, podman's place
        return run(self._engine, "exec", self._name, *check[1:]).returncode


@pytest.fixture(scope="module")
def server(engine: str, image: Callable) -> Iterator[Server]:
    """A server on a port of its own, without a database: runs are kept in its volume."""
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
    succeeded(run(*begin(engine), "--detach", f"--name={name}", *options, secret, image("server")))
    try:
        started = Server(engine, image("server"), name, port)
        started.wait()
        yield started
    finally:
        run(engine, "rm", "--force", name)


def test_the_server_is_healthy_and_asks_for_a_password(server):
    assert server.health() == 0
    path = "/api/2.0/mlflow/experiments/get?experiment_id=0"
    assert [server.status(path), server.status(path, "a guess"), server.status(path, PASSWORD)] == [401, 401, 200]


def test_a_port_that_is_taken_is_told(server, image, in_container):
    options = ["--network=host", f"--env=MLFLOW_PORT={server.port}", f"--env=MLFLOW_AUTH_ADMIN_PASSWORD={PASSWORD}"]
    done = in_container(*options, image("server"))
    assert done.returncode == 1
    assert f"port {server.port} cannot be had" in done.stdout


def test_a_server_without_a_password_does_not_start(image, in_container):
    done = in_container(image("server"))
    assert (done.returncode, "MLFLOW_AUTH_ADMIN_PASSWORD is not set" in done.stdout) == (1, True)


def test_a_database_that_does_not_come_is_named_and_waited_for(image, in_container):
    store = "--env=MLFLOW_BACKEND_STORE_URI=postgresql+psycopg://mlflow:hush@127.0.0.1:9/mlflow"
    done = in_container("--network=host", store, "--env=MODELYARD_WAIT_SECONDS=3", image("server"))
    assert done.returncode == 1
    assert "waiting for postgresql+psycopg://mlflow:***@127.0.0.1:9/mlflow" in done.stdout
    assert "has not answered for 3 s" in done.stdout
    assert "hush" not in done.stdout
