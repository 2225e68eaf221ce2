"""Runs read from the store, and those of dead processes marked as failed."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import pytest

from modelyard import tracking
from modelyard.core.errors import ModelyardError
from modelyard.tracking import queries

KILLED = """
import os, signal
from modelyard import tracking
with tracking.{stage}_run("an_experiment") as run:
    os.kill(os.getpid(), signal.SIGKILL)
"""


def kill_while_tracked(stage: str, project: Path, environment: dict[str, str]) -> None:
    tracked = environment | {"MODELYARD_TRACKING": "on", "DVC_ROOT": str(project)}
    done = subprocess.run([sys.executable, "-c", KILLED.format(stage=stage)], cwd=project, env=tracked)
    assert done.returncode == -signal.SIGKILL


def test_a_killed_run_is_marked_as_failed_and_a_running_one_is_not(project: Path, environment: dict[str, str]) -> None:
    kill_while_tracked("training", project, environment)
    with tracking.training_run("another_experiment"):
        assert queries.fail_dead_runs() == ["an_experiment"]
        assert queries.fail_dead_runs() == []
        killed, running = queries.runs_of("an_experiment")[0], queries.runs_of("another_experiment")[0]
    assert (killed.status, running.status) == ("FAILED", "RUNNING")
    assert "its process ended without an error message" in killed.tags["error"]


def test_a_training_stays_finished_if_its_evaluation_is_killed(project: Path, environment: dict[str, str]) -> None:
    with tracking.training_run("an_experiment"):
        pass
    (trained,) = queries.runs_of("an_experiment")
    kill_while_tracked("evaluation", project, environment)
    assert queries.fail_dead_runs() == []
    with tracking.evaluation_run("an_experiment"):
        assert queries.fail_dead_runs() == []
    (run,) = queries.runs_of("an_experiment")
    assert (run.status, run.end_time) == (trained.status, trained.end_time) == ("FINISHED", trained.end_time)
    assert "error" not in run.tags


def test_a_running_run_of_another_program_is_left_alone(project: Path) -> None:
    with tracking.training_run("an_experiment"):
        pass
    started = mlflow.MlflowClient().create_run(
        mlflow.get_experiment_by_name("modelyard").experiment_id, run_name="other"
    )
    assert queries.fail_dead_runs() == []
    assert queries.get_run(started.info.run_id).status == "RUNNING"


def test_the_runs_of_an_experiment_have_the_latest_first(project: Path) -> None:
    for loss in (0.5, 0.25):
        with tracking.training_run("an_experiment") as run:
            run.log_epoch({"epoch": 1, "loss": loss})
    assert [run.metrics["loss"] for run in queries.runs_of("an_experiment")] == [0.25, 0.5]
    assert queries.runs_of("another") == []


def test_an_unknown_run_id_says_where_ids_are_shown(project: Path) -> None:
    with pytest.raises(ModelyardError, match=r"no run 1234 in sqlite:.*mlflow\.db\. Run ids are shown in the browser"):
        queries.get_run("1234")


def test_a_deleted_experiment_says_how_to_restore_it(project: Path) -> None:
    tracking.connect()
    experiment = mlflow.get_experiment_by_name("modelyard").experiment_id
    mlflow.delete_experiment(experiment)
    command = (
        rf"MLFLOW_TRACKING_URI=sqlite:///{project}/mlflow.db mlflow experiments restore --experiment-id {experiment}"
    )
    expected = rf"the experiment modelyard of sqlite:.* was deleted\. Restore it: {command}$"
    for question in (lambda: queries.get_run("1234"), lambda: queries.runs_of("linear"), queries.fail_dead_runs):
        with pytest.raises(ModelyardError, match=expected):
            question()


@pytest.mark.parametrize("address", ["./mlruns", "mlruns", "file:///tmp/mlruns"])
def test_a_folder_is_refused_as_a_store(address: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    with pytest.raises(ModelyardError, match=rf"MLFLOW_TRACKING_URI={address} is a folder; .*Unset it"):
        queries.runs_of("linear")
    assert not (project / "mlruns").exists()


@pytest.mark.parametrize("scheme", ["http", "postgresql+psycopg"])
def test_a_store_that_does_not_answer_is_one_line_at_once(
    scheme: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"{scheme}://ann:hush@127.0.0.1:9/runs")
    started = time.monotonic()
    with pytest.raises(ModelyardError) as raised:
        queries.get_run("1234")
    assert time.monotonic() - started < 3
    assert str(raised.value) == (
        f"nothing answers at {scheme}://...@127.0.0.1:9/runs (127.0.0.1, port 9: Connection refused). Start the "
        "server, or correct MLFLOW_TRACKING_URI."
    )


def test_a_store_whose_host_swallows_packets_is_given_up_soon(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wait(address: object, timeout: float) -> None:
        assert timeout <= 10
        raise TimeoutError("timed out")

    monkeypatch.setattr("socket.create_connection", wait)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example.org")
    with pytest.raises(ModelyardError, match=r"nothing answers at .* \(mlflow\.example\.org, port 443: timed out\)"):
        queries.runs_of("linear")


@pytest.mark.parametrize("address", ["http://host:port", "http://[::1", "postgresql+psycopg://host:port/runs"])
def test_an_address_that_cannot_be_read_is_refused_with_examples(
    address: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    with pytest.raises(ModelyardError, match=r"is not an address that MLflow can use: .* Examples: https://"):
        queries.runs_of("linear")


def test_a_database_of_another_program_is_one_line(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "other.db").write_bytes(b"no database at all" * 100)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project / 'other.db'}")
    with pytest.raises(ModelyardError, match=r"^the database sqlite:.* cannot be used: .*not a database\."):
        queries.runs_of("linear")


def test_a_database_that_refuses_a_connection_is_given_up_at_once(
    postgresql: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"{postgresql.rpartition('/')[0]}/no_such_database")
    started = time.monotonic()
    with pytest.raises(
        ModelyardError, match=r"cannot be used: OperationalError: .*\"no_such_database\" does not exist"
    ):
        queries.runs_of("linear")
    assert time.monotonic() - started < 5
