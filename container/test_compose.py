"""Starts, uses, stops and restarts the servers of compose.yaml: `make compose-test`.

With MODELYARD_HOST_NETWORK=1 (for an engine without networks of its own) all services share this machine's network, and
the artifacts are in a bucket of moto's S3 server on it.
Where the postgres image cannot be pulled, an image with Debian's PostgreSQL replaces it.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import mlflow
import optuna
import pytest
from moto.server import ThreadedMotoServer

from container.commands import ROOT, run, succeeded

HOST_NETWORK = bool(os.environ.get("MODELYARD_HOST_NETWORK"))
SECONDS = 600  # a time limit that also suits a busy machine
BIN = Path(sys.executable).parent
PASSWORDS = {
    "MLFLOW_ADMIN_PASSWORD": "a long password",
    "MLFLOW_DATABASE_PASSWORD": "it's: one @ home/50%",
    "OPTUNA_PASSWORD": "another-one",
}
BUCKET = "artifacts"
TRACKED = "from modelyard import tracking\nwith tracking.training_run('from_a_laptop') as run: run.log_lineage({}, {})"


class Team:
    """The services of compose.yaml, with a project name and ports that no other project uses."""

    def __init__(self, engine: str, **variables: str) -> None:
        self._command = ["docker", "compose"] if engine == "docker" else [str(BIN / "podman-compose")]
        self.name = f"modelyard{uuid4().hex[:8]}"
        names = ("DATABASE_PORT", "MLFLOW_PORT", "DASHBOARD_PORT")
        self.ports = dict(zip(names, free_ports(len(names)), strict=True))
        self.environment = os.environ | PASSWORDS | {name: str(port) for name, port in self.ports.items()} | variables
        self._files = ["compose.yaml"]
        if HOST_NETWORK:
            self._files.append("container/compose.host.yaml")

    def __call__(self, *arguments: str, seconds: int = SECONDS, without: str = "") -> subprocess.CompletedProcess:
        """Run a compose command; `without` names an environment variable to leave out."""
        files = [part for file in self._files for part in ("--file", file)]
        environment = {name: value for name, value in self.environment.items() if name != without}
        command = [*self._command, "--project-name", self.name, *files, *arguments]
        return run(*command, seconds=seconds, env=environment)

    @property
    def laptop(self) -> dict[str, str]:
        """The environment of a laptop: the two variables of docs/container.md and none other of Modelyard or MLflow."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MODELYARD", "MLFLOW"))}
        return kept | {
            "MLFLOW_TRACKING_URI": f"http://admin:a%20long%20password@127.0.0.1:{self.ports['MLFLOW_PORT']}",
            "MODELYARD_OPTUNA_STORAGE": "postgresql+psycopg://optuna:another-one@127.0.0.1:"
            f"{self.ports['DATABASE_PORT']}/optuna",
        }


def free_ports(count: int) -> list[int]:
    """Return free ports of this machine."""
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in servers]
    for server in servers:
        server.close()
    return ports


def wait_until(condition: Callable[[], object], message: Callable[[], str]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, message()
        time.sleep(1)


@pytest.fixture(scope="module")
def bucket() -> Iterator[Any]:
    """A bucket of an S3 server on this machine, which containers reach through its network; None without that."""
    if not HOST_NETWORK:
        yield None
        return
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    keys = {"aws_access_key_id": "team", "aws_secret_access_key": "s3-secret", "region_name": "us-east-1"}
    try:
        store = boto3.resource("s3", endpoint_url=f"http://127.0.0.1:{server.get_host_and_port()[1]}", **keys)
        yield store.create_bucket(Bucket=BUCKET)
    finally:
        server.stop()


@pytest.fixture(scope="module")
def team(engine: str, image: Callable, bucket: Any) -> Iterator[Team]:
    """The running servers."""
    image("server")
    image("worker")
    no_postgres_image = (
        engine == "podman" and run("podman", "image", "exists", "docker.io/library/postgres:17-bookworm").returncode
    )
    replacement = {"POSTGRES_IMAGE": image("postgresql", "container/postgres/Dockerfile")} if no_postgres_image else {}
    servers = Team(engine, **replacement, **artifact_store(bucket))
    try:
        succeeded(servers("up", "--detach", "--no-build", "database", "mlflow", "dashboard"))
        wait_until(lambda: accepts_connections(servers.ports), lambda: servers("logs").stdout)
        yield servers
    finally:
        print(servers("logs").stdout[-20_000:])  # noqa: T201
        servers("--profile", "work", "down", "--volumes")


def artifact_store(bucket: Any) -> dict[str, str]:
    """The variables of docs/container.md that keep artifacts in a bucket."""
    if bucket is None:
        return {}
    return {
        "MLFLOW_ARTIFACTS_DESTINATION": f"s3://{bucket.name}/mlflow",
        "MLFLOW_S3_ENDPOINT_URL": bucket.meta.client.meta.endpoint_url,
        "AWS_ACCESS_KEY_ID": "team",
        "AWS_SECRET_ACCESS_KEY": "s3-secret",
    }


def accepts_connections(ports: dict[str, int]) -> bool:
    """Whether every service accepts connections."""
    for port in ports.values():
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return False
    return True


def runs(team: Team, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the runs on the server, sorted."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    client = mlflow.MlflowClient(team.laptop["MLFLOW_TRACKING_URI"])
    experiment = client.get_experiment_by_name("modelyard")
    return sorted(run.info.run_name for run in client.search_runs([experiment.experiment_id])) if experiment else []


def trials(team: Team) -> list[str]:
    """The states of the trials of the study."""
    storage = team.laptop["MODELYARD_OPTUNA_STORAGE"]
    if "digits_cnn" not in optuna.get_all_study_names(storage):
        return []
    return [trial.state.name for trial in optuna.load_study(study_name="digits_cnn", storage=storage).get_trials()]


@pytest.mark.parametrize("name", PASSWORDS)
def test_compose_names_a_missing_password_and_starts_nothing(name, engine):
    done = Team(engine)("up", "--detach", "--no-build", "database", without=name)
    assert done.returncode != 0
    assert name in done.stdout
    assert "is missing" in done.stdout


def test_a_run_and_its_files_are_logged_to_the_server(team, bucket, tmp_path, monkeypatch):
    done = run(sys.executable, "-c", f"import os; os.chdir({str(tmp_path)!r})\n{TRACKED}", env=team.laptop)
    assert "warning" not in succeeded(done)
    assert "from_a_laptop" in runs(team, monkeypatch)
    assert not list(tmp_path.glob("ml*"))
    if bucket:
        assert [each.key for each in bucket.objects.all() if each.key.startswith("mlflow/")]


def test_a_study_completes_although_one_of_its_workers_is_killed(team, engine, tmp_path):
    team.environment |= {"STUDY": "digits_cnn", "WORKERS": "3", "TRIALS": "8"}
    succeeded(team("--profile", "work", "up", "--detach", "--no-build", "worker"))
    succeeded(run("git", "clone", "--quiet", str(ROOT), str(tmp_path / "laptop")))
    tune = [str(BIN / "modelyard"), "tune", "digits_cnn", "--trials", "8", "--jobs", "1"]
    laptop = subprocess.Popen(tune, cwd=tmp_path / "laptop", env=team.laptop)
    names = run(engine, "ps", "--format={{.Names}}", f"--filter=name={team.name}.worker").stdout.split()
    assert len(names) == 3, team("logs", "worker").stdout
    wait_until(lambda: "COMPLETE" in trials(team), lambda: team("logs").stdout)
    succeeded(run(engine, "kill", names[0]))
    assert laptop.wait(timeout=900) == 0
    assert trials(team).count("COMPLETE") + trials(team).count("PRUNED") >= 8


def test_runs_and_studies_survive_down_and_up(team, monkeypatch):
    before = runs(team, monkeypatch), trials(team)
    succeeded(team("--profile", "work", "down"))
    succeeded(team("up", "--detach", "--no-build", "database", "mlflow", "dashboard"))
    wait_until(lambda: accepts_connections(team.ports), lambda: team("logs").stdout)
    assert (runs(team, monkeypatch), trials(team)) == before
