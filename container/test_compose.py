"""A team's servers, up, used from here, down and up again: `make compose-test`.

Where an engine has no networks of its own (MODELYARD_HOST_NETWORK=1) all share this machine's; where postgres cannot be
pulled, an image of Debian's PostgreSQL takes its place.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import mlflow
import optuna
import pytest
from conftest import ROOT, run, succeeded

SECONDS = 600  # a bound for a busy machine, not what it takes
BIN = Path(sys.executable).parent
PASSWORDS = {
    "MLFLOW_ADMIN_PASSWORD": "a long password",
    "MLFLOW_DATABASE_PASSWORD": "it's: one @ home/50%",
    "OPTUNA_PASSWORD": "another-one",
}
TRACKED = "from modelyard import tracking\nwith tracking.training_run('from_a_laptop'): pass"


class Team:
    """The services of compose.yaml under a name and at ports of their own."""

    def __init__(self, engine: str, **variables: str) -> None:
        self._command = ["docker", "compose"] if engine == "docker" else [str(BIN / "podman-compose")]
        self.name = f"modelyard{uuid4().hex[:8]}"
        names = ("DATABASE_PORT", "MLFLOW_PORT", "DASHBOARD_PORT")
        self.ports = dict(zip(names, free_ports(len(names)), strict=True))
        self.environment = os.environ | PASSWORDS | {name: str(port) for name, port in self.ports.items()} | variables
        self._files = ["compose.yaml"]
        if os.environ.get("MODELYARD_HOST_NETWORK"):
            self._files.append("container/compose.host.yaml")

    def __call__(self, *arguments: str, seconds: int = SECONDS, without: str = "") -> subprocess.CompletedProcess:
        """Give compose a command; `without` names a variable that is not set."""
        files = [part for file in self._files for part in ("--file", file)]
        around = {name: value for name, value in self.environment.items() if name != without}
        command = [*self._command, "--project-name", self.name, *files, *arguments]
        return run(*command, seconds=seconds, env=around)

    @property
    def laptop(self) -> dict[str, str]:
        """The two variables that a laptop is given, in an environment without any other of ours."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MODELYARD", "MLFLOW"))}
        return kept | {
            "MLFLOW_TRACKING_URI": f"http://admin:a%20long%20password@127.0.0.1:{self.ports['MLFLOW_PORT']}",
            "MODELYARD_OPTUNA_STORAGE": "postgresql+psycopg://optuna:another-one@127.0.0.1:"
            f"{self.ports['DATABASE_PORT']}/optuna",
        }


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens at."""
    doors = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [door.getsockname()[1] for door in doors]
    for door in doors:
        door.close()
    return ports


def wait_until(condition: Callable[[], object], told: Callable[[], str]) -> None:
    ends = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < ends, told()
        time.sleep(1)


@pytest.fixture(scope="module")
def team(engine: str, image: Callable) -> Iterator[Team]:
    """The servers, up."""
    image("server")
    image("worker")
    here_alone = (
        engine == "podman" and run("podman", "image", "exists", "docker.io/library/postgres:17-bookworm").returncode
    )
    stand_in = {"POSTGRES_IMAGE": image("postgresql", "container/stand_in/Dockerfile")} if here_alone else {}
    servers = Team(engine, **stand_in)
    try:
        succeeded(servers("up", "--detach", "--no-build", "database", "mlflow", "dashboard"))
        wait_until(lambda: answers(servers.ports), lambda: servers("logs").stdout)
        yield servers
    finally:
        print(servers("logs").stdout[-20_000:])  # noqa: T201
        servers("--profile", "work", "down", "--volumes")


def answers(ports: dict[str, int]) -> bool:
    """Whether every service accepts connections."""
    for port in ports.values():
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return False
    return True


def runs(team: Team, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the runs that the server has."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    client = mlflow.MlflowClient(team.laptop["MLFLOW_TRACKING_URI"])
    found = client.get_experiment_by_name("modelyard")
    return sorted(each.info.run_name for each in client.search_runs([found.experiment_id])) if found else []


def trials(team: Team) -> list[str]:
    """The states of the trials of the study."""
    storage = team.laptop["MODELYARD_OPTUNA_STORAGE"]
    if "digits_cnn" not in optuna.get_all_study_names(storage):
        return []
    return [each.state.name for each in optuna.load_study(study_name="digits_cnn", storage=storage).get_trials()]


@pytest.mark.parametrize("name", PASSWORDS)
def test_without_a_password_nothing_starts_and_it_is_named(name, engine):
    done = Team(engine)("up", "--detach", "--no-build", "database", without=name)
    assert done.returncode != 0
    assert name in done.stdout
    assert "is missing" in done.stdout


def test_a_run_reaches_the_server_with_its_files(team, tmp_path, monkeypatch):
    done = run(sys.executable, "-c", f"import os; os.chdir({str(tmp_path)!r})\n{TRACKED}", env=team.laptop)
    assert "warning" not in succeeded(done)
    assert "from_a_laptop" in runs(team, monkeypatch)
    assert not list(tmp_path.glob("ml*"))


def test_workers_share_a_study_one_is_killed_and_the_study_completes(team, engine, tmp_path):
    team.environment |= {"STUDY": "digits_cnn", "WORKERS": "3", "TRIALS": "8"}
    succeeded(team("--profile", "work", "up", "--detach", "--no-build", "worker"))
    succeeded(run("git", "clone", "--quiet", str(ROOT), str(tmp_path / "laptop")))
    tune = [str(BIN / "modelyard"), "tune", "digits_cnn", "--trials", "8", "--workers", "1"]
    laptop = subprocess.Popen(tune, cwd=tmp_path / "laptop", env=team.laptop)
    names = run(engine, "ps", "--format={{.Names}}", f"--filter=name={team.name}.worker").stdout.split()
    assert len(names) == 3, team("logs", "worker").stdout
    wait_until(lambda: "COMPLETE" in trials(team), lambda: team("logs").stdout)
    succeeded(run(engine, "kill", names[0]))
    assert laptop.wait(timeout=900) == 0
    assert trials(team).count("COMPLETE") + trials(team).count("PRUNED") >= 8


def test_all_is_still_there_after_down_and_up(team, monkeypatch):
    before = runs(team, monkeypatch), trials(team)
    succeeded(team("--profile", "work", "down"))
    succeeded(team("up", "--detach", "--no-build", "database", "mlflow", "dashboard"))
    wait_until(lambda: answers(team.ports), lambda: team("logs").stdout)
    assert (runs(team, monkeypatch), trials(team)) == before
