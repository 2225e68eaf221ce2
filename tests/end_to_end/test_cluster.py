"""The three commands on a cluster of two workers, each in a clone of its own, with S3 between them."""

import logging
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import boto3
import optuna
import psutil
import pytest
from moto.server import ThreadedMotoServer
from optuna.trial import TrialState
from ruamel.yaml import YAML
from support.clones import clone_into, surroundings
from support.clusters import Cluster, cluster
from support.pipelines import add_linear, dvc, editing_params, keep_only
from support.repositories import git
from support.waiting import wait_until

pytestmark = pytest.mark.slow

MODELYARD = [sys.executable, "-P", "-m", "modelyard"]
ACCOUNT = {"AWS_ACCESS_KEY_ID": "somebody", "AWS_SECRET_ACCESS_KEY": "something", "AWS_DEFAULT_REGION": "eu-north-1"}
BUCKET = "team"
BOUND = 300.0  # seconds; each command takes less than one minute on two cores


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The URL of a server that speaks S3, with a bucket in it."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # hundreds of requests would hide why a test has failed
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    account = {"aws_access_key_id": "somebody", "aws_secret_access_key": "something", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=url, **account).create_bucket(Bucket=BUCKET)
    yield url
    server.stop()


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory, address: str) -> Path:
    """A project of one small experiment and its study, committed and not built."""
    clone = clone_into(tmp_path_factory.mktemp("team") / "mine")
    with editing_params(clone) as params:
        add_linear("patients", "diabetes_standard", params)
        params["experiments"]["patients"]["model"] = {"family": "boosting", "n_estimators": 400}
        keep_only(params, ["patients"])
        vary = {"model.n_estimators": {"low": 100, "high": 600}}
        study = {"experiment": "patients", "search_space": vary, "n_trials": 4, "folds": 3, "seed": 7}
        params["studies"] = {"patients": study}
    for line in ("remote add -d team s3://team/project", f"remote modify team endpointurl {address}"):
        subprocess.run(dvc(*line.split()), cwd=clone, check=True, capture_output=True)
    git(clone, "commit", "-qam", "small")
    return clone


def environment(clone: Path) -> dict[str, str]:
    kept = {name: value for name, value in surroundings().items() if not name.startswith("AWS_")}
    return kept | ACCOUNT | {"AWS_EC2_METADATA_DISABLED": "true", "PYTHONPATH": str(clone / "src"), "COLUMNS": "300"}


def cloned(mine: Path, name: str) -> Path:
    subprocess.run(["git", "clone", "-q", str(mine), name], cwd=mine.parent, check=True)
    return mine.parent / name


@pytest.fixture(scope="module")
def workers(mine: Path) -> Iterator[Cluster]:
    with cluster(mine.parent / "cluster", environment(mine)) as team:
        for name in ("a", "b"):
            clone = cloned(mine, name)
            team.start_worker(clone, name, "--no-nanny", PYTHONPATH=str(clone / "src"))
        yield team


@pytest.fixture
def team(workers: Cluster) -> Iterator[Cluster]:
    """The cluster; those workers that a test has killed run again after it."""
    yield workers
    workers.restart_workers()


class Started(subprocess.Popen):
    """A command in my clone that hands its work to the cluster."""

    def __init__(self, mine: Path, team: Cluster, *arguments: str) -> None:
        command = [*MODELYARD, *arguments, "--scheduler", team.address]
        self._team = team
        self._log = mine.parent / "command.log"  # not a pipe: it would have to be read
        with self._log.open("wb") as log:
            super().__init__(command, cwd=mine, env=environment(mine), stdout=log, stderr=log)

    @property
    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def until(self, condition: Callable[[], object]) -> None:
        """Wait until a condition holds, but no longer than the command runs."""

        def is_reached() -> bool:
            has_ended = self.poll() is not None  # looked for first: its last act may be what is waited for
            holds = bool(condition())
            assert holds or not has_ended, self.output
            return holds

        wait_until(is_reached, BOUND)

    def end(self, code: int = 0) -> str:
        """Wait for its end, and return its output."""
        try:
            assert self.wait(BOUND) == code, self.output
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.output}\n{self._team.abort_workers()}") from None
        finally:
            self.kill()
        return self.output


@pytest.fixture
def start(mine: Path, team: Cluster) -> Callable[..., Started]:
    return partial(Started, mine, team)


def lock(clone: Path) -> dict:
    return YAML(typ="safe").load(clone / "dvc.lock")


def runs(clone: Path) -> list[Path]:
    return sorted((clone / ".modelyard" / "replication").rglob("*.json"))


def kill_worker_that_runs(script: str, rebuild: Started, team: Cluster) -> None:
    """Kill the worker with a process of this script, with a signal that nothing can catch."""

    def is_killed() -> bool:
        for name, process in team.processes.items():
            with suppress(psutil.NoSuchProcess):
                children = psutil.Process(process.pid).children(recursive=True)
                if any(script in child.cmdline() for child in children):
                    team.stop_workers(name)
                    return True
        return False

    rebuild.until(is_killed)


def test_a_rebuild_gives_the_lock_of_a_sequential_one_though_a_worker_is_killed(mine: Path, team: Cluster, start):
    rebuild = start("run")
    kill_worker_that_runs("pipeline/train.py", rebuild, team)
    assert re.search(r"Stages: \d+ built, in", rebuild.end())
    assert not (mine.parent / "a" / "data" / "raw").exists(), "raw data stays where it is fetched"
    built = lock(mine)
    alone = cloned(mine, "alone")
    subprocess.run([*dvc("repro", "-q")], cwd=alone, env=environment(alone), check=True)
    assert lock(alone) == built
    assert re.search(r"Stages: \d+ unchanged\.", start("run").end())


def test_a_replication_gives_the_metrics_of_one_machine_though_a_worker_is_killed(mine: Path, team: Cluster, start):
    replication = start("replicate", "patients", "--seeds", "6")
    replication.until(lambda: runs(mine))
    team.stop_workers("a")
    assert replication.end().count("✓ patients seed") == 6
    here = {file.stem: file.read_text().partition('"seconds"')[0] for file in runs(mine)}
    for file in runs(mine):
        file.unlink()
    command = [*MODELYARD, "replicate", "patients", "--seeds", "6"]
    subprocess.run(command, cwd=mine, env=environment(mine), check=True, capture_output=True)
    assert {file.stem: file.read_text().partition('"seconds"')[0] for file in runs(mine)} == here


def test_what_ctrl_c_stops_is_done_by_the_next_command(mine: Path, start):
    for file in runs(mine):
        file.unlink()
    replication = start("replicate", "patients", "--seeds", "6")
    replication.until(lambda: runs(mine))
    replication.send_signal(signal.SIGINT)
    assert "Stopped. Finished runs are kept; run again to continue." in replication.end(code=130)
    kept = len(runs(mine))
    assert 1 <= kept < 6
    assert start("replicate", "patients", "--seeds", "6").end().count("✓ patients seed") == 6 - kept


def test_a_search_ends_with_all_of_its_trials_though_a_worker_is_killed(team: Cluster, start, postgresql: str):
    search = start("tune", "patients", "--storage", postgresql)
    lost = kill_worker_of_a_trial(postgresql, search)
    output = search.end()
    assert "Best val_mae:" in output
    trials = optuna.load_study(study_name="patients", storage=postgresql).trials
    assert [trial.state for trial in trials].count(TrialState.COMPLETE) == 4
    assert trials[lost].state is TrialState.FAIL
    assert trials[lost].user_attrs["reason"] == "its worker was lost"
    assert [trial.user_attrs.get("again") for trial in trials].count(lost) == 1


def kill_worker_of_a_trial(database: str, search: Started) -> int:
    """Kill the Dask worker of a running trial with a signal that nothing can catch, and return the trial's number."""
    storage = optuna.storages.RDBStorage(database)
    killed: list[int] = []

    def is_killed() -> bool:
        with suppress(KeyError):  # the study is not created yet
            for trial in optuna.load_study(study_name="patients", storage=storage).trials:
                if trial.state is TrialState.RUNNING and "task" in trial.user_attrs:
                    process = psutil.Process(int(trial.user_attrs["worker"].split(":")[-2]))
                    process.parent().kill()
                    killed.append(trial.number)
                    return True
        return False

    search.until(is_killed)
    return killed[0]


def test_a_study_in_a_file_is_refused(start):
    output = start("tune", "patients").end(code=1)
    assert "which the machines of the cluster do not have. Keep it in a database that they reach" in output
