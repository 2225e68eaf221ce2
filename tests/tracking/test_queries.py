"""Runs read from the store, and those of dead processes marked as failed."""

import signal
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest

from modelyard import tracking
from modelyard.core.errors import ModelyardError
from modelyard.tracking import queries

KILLED = """
import os, signal
from modelyard import tracking
with tracking.training_run("an_experiment") as run:
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_run_is_marked_as_failed_and_a_running_one_is_not(project: Path, environment: dict[str, str]) -> None:
    tracked = environment | {"MODELYARD_TRACKING": "on", "DVC_ROOT": str(project)}
    done = subprocess.run([sys.executable, "-c", KILLED], cwd=project, env=tracked)
    assert done.returncode == -signal.SIGKILL
    with tracking.training_run("another_experiment"):
        assert queries.fail_dead_runs() == ["an_experiment"]
        assert queries.fail_dead_runs() == []
        killed, running = queries.runs_of("an_experiment")[0], queries.runs_of("another_experiment")[0]
    assert (killed.status, running.status) == ("FAILED", "RUNNING")
    assert "its process ended without an error message" in killed.tags["error"]


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
