"""Runs logged to a shared MLflow server: by host name, with a full disk, with passwords."""

import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from support.servers import ASKED_FOR, BOUND, PASSWORD, mlflow_server, served
from support.tracked_projects import TrackedProject

pytestmark = pytest.mark.slow

LOG_EPOCH = """
from modelyard import tracking
with tracking.training_run("through_the_server") as run:
    run.log_epoch({"epoch": 1, "loss": 0.5})
"""
LOG_PLOTS = """
from pathlib import Path
from modelyard import tracking
with tracking.evaluation_run("through_the_server") as run:
    run.log_evaluation({"accuracy": 0.5}, {"intervals": {}}, Path("figures"))
print("done")
"""


@pytest.fixture
def team(tmp_path: Path) -> TrackedProject:
    """A folder that a server has its store in, and that scripts run in."""
    return TrackedProject(tmp_path)


def run_script(script: str, team: TrackedProject, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", script], cwd=team.folder, env=team.environment | environment,
        capture_output=True, text=True, check=True, timeout=BOUND,
    )  # fmt: skip


def test_a_server_answers_to_its_allowed_host_names_only(team: TrackedProject) -> None:
    command = mlflow_server(team.store, team.folder / "shared", "--allowed-hosts", "mlflow.example.org,127.0.0.1:*")
    with served(command, team.folder, team.environment) as address:
        assert status(address, host="mlflow.example.org") == 200
        assert status(address, host="elsewhere.example.org") == 403


def status(address: str, host: str) -> int:
    """The status of a server's answer to a request for another host name."""
    request = Request(f"{address}/api/2.0/mlflow/experiments/get?experiment_id=0", headers={"Host": host})  # noqa: S310
    try:
        return urlopen(request, timeout=BOUND).status  # noqa: S310
    except HTTPError as error:
        return error.code


def test_a_server_with_a_full_disk_leaves_a_failed_run_and_the_script_goes_on(team: TrackedProject) -> None:
    (team.folder / "figures").mkdir()
    (team.folder / "figures" / "large.png").write_bytes(bytes(20_000_000))
    # No file may be larger than ten megabytes, as if the disk ended there.
    server = ["prlimit", "--fsize=10000000", *mlflow_server(team.store, team.folder / "shared")]
    with served(server, team.folder, team.environment) as address:
        done = run_script(LOG_PLOTS, team, MLFLOW_TRACKING_URI=address)
    assert done.stdout == "done\n"
    assert "warning: this run is not tracked" in done.stderr
    assert "A server's own log may say more (a full disk, for example). `modelyard runs backfill`" in done.stderr
    (run,) = team.runs().values()
    assert run.info.status == "FAILED"
    assert "figures/large.png" in run.data.tags["error"]
    assert "test_accuracy" not in run.data.metrics


def test_a_server_with_passwords_accepts_runs_with_the_right_one(team: TrackedProject) -> None:
    pytest.importorskip("flask_wtf", reason="NO BASIC AUTH: MLflow's passwords are not tested; uv sync")
    command = mlflow_server(team.store, team.folder / "shared", "--app-name", "basic-auth")
    with served(command, team.folder, team.environment | ASKED_FOR) as address:
        user = {"MLFLOW_TRACKING_URI": address, "MLFLOW_TRACKING_USERNAME": "admin"}
        refused, accepted = (
            run_script(LOG_EPOCH, team, **user, MLFLOW_TRACKING_PASSWORD=password).stderr
            for password in ("a guess", PASSWORD)
        )
    assert "warning: this run is not tracked" in refused
    assert accepted == ""
    (run,) = team.runs().values()
    assert (run.info.run_name, run.info.status) == ("through_the_server", "FINISHED")
