"""The three commands on a cluster of two workers, each in a clone of its own, with S3 between them."""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
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

pytestmark = pytest.mark.slow

MODELYARD = [sys.executable, "-P", "-m", "modelyard"]
ACCOUNT = {"AWS_ACCESS_KEY_ID": "somebody", "AWS_SECRET_ACCESS_KEY": "something", "AWS_DEFAULT_REGION": "eu-north-1"}
BUCKET = "team"
Run = Callable[..., subprocess.CompletedProcess]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The URL of a server that speaks S3, with a bucket in it."""
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
        params["experiments"]["patients"]["model"] = {"family": "boosting", "n_estimators": 100}
        keep_only(params, ["patients"])
        vary = {"model.n_estimators": {"low": 100, "high": 600}}
        study = {"experiment": "patients", "search_space": vary, "n_trials": 4, "folds": 3, "seed": 7}
        params["studies"] = {"patients": study}
    for line in ("remote add -d team s3://team/project", f"remote modify team endpointurl {address}"):
        subprocess.run(dvc(*line.split()), cwd=clone, check=True, capture_output=True)
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    subprocess.run(["git", *identity, "commit", "-qam", "small"], cwd=clone, check=True)
    return clone


def environment(clone: Path) -> dict[str, str]:
    kept = {name: value for name, value in surroundings().items() if not name.startswith("AWS_")}
    return kept | ACCOUNT | {"AWS_EC2_METADATA_DISABLED": "true", "PYTHONPATH": str(clone / "src"), "COLUMNS": "300"}


def cloned(mine: Path, name: str) -> Path:
    subprocess.run(["git", "clone", "-q", str(mine), name], cwd=mine.parent, check=True)
    return mine.parent / name


@pytest.fixture(scope="module")
def team(mine: Path) -> Iterator[Cluster]:
    with cluster(mine.parent / "cluster", environment(mine)) as team:
        for name in ("a", "b"):
            clone = cloned(mine, name)
            team.start_worker(clone, name, "--no-nanny", PYTHONPATH=str(clone / "src"))
        yield team


@pytest.fixture(scope="module")
def run(mine: Path, team: Cluster) -> Run:
    """Runs a command in my clone."""

    def run(*arguments: str) -> subprocess.CompletedProcess:
        command = [*MODELYARD, *arguments, "--scheduler", team.address]
        done = subprocess.run(command, cwd=mine, env=environment(mine), capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{team.log('a')[-3000:]}"
        return done

    return run


def lock(clone: Path) -> dict:
    return YAML(typ="safe").load(clone / "dvc.lock")


def test_a_rebuild_gives_the_lock_of_a_sequential_one(mine: Path, run: Run):
    assert re.search(r"Stages: \d+ built, in", run("run").stdout)
    assert not (mine.parent / "a" / "data" / "raw").exists(), "raw data stays where it is fetched"
    built = lock(mine)
    alone = cloned(mine, "alone")
    subprocess.run([*dvc("repro", "-q")], cwd=alone, env=environment(alone), check=True)
    assert lock(alone) == built
    assert re.search(r"Stages: \d+ unchanged\.", run("run").stdout)


def test_a_replication_gives_the_same_metrics_as_on_one_machine(mine: Path, run: Run):
    assert run("replicate", "patients", "--seeds", "2").stdout.count("✓ patients seed") == 2
    here = {file.stem: file.read_text().partition('"seconds"')[0] for file in runs(mine)}
    for file in runs(mine):
        file.unlink()
    command = [*MODELYARD, "replicate", "patients", "--seeds", "2"]
    subprocess.run(command, cwd=mine, env=environment(mine), check=True, capture_output=True)
    assert {file.stem: file.read_text().partition('"seconds"')[0] for file in runs(mine)} == here


def runs(clone: Path) -> list[Path]:
    return sorted((clone / ".modelyard" / "replication").rglob("*.json"))


def test_a_search_ends_with_all_of_its_trials_though_a_worker_is_killed(mine: Path, team: Cluster, postgresql: str):
    command = [*MODELYARD, "tune", "patients", "--storage", postgresql, "--scheduler", team.address]
    search = subprocess.Popen(command, cwd=mine, env=environment(mine), stdout=subprocess.PIPE, text=True)
    try:
        lost = kill_worker_of_a_trial(postgresql)
        output, _ = search.communicate(timeout=900)
    finally:
        search.kill()
    assert search.returncode == 0, output
    assert "Best val_mae:" in output
    trials = optuna.load_study(study_name="patients", storage=postgresql).trials
    assert [trial.state for trial in trials].count(TrialState.COMPLETE) == 4
    assert trials[lost].state is TrialState.FAIL
    assert trials[lost].user_attrs["reason"] == "its worker was lost"
    assert [trial.user_attrs.get("again") for trial in trials].count(lost) == 1
    team.restart_workers()


def kill_worker_of_a_trial(database: str) -> int:
    """Kill the Dask worker of a running trial with a signal that nothing can catch, and return the trial's number."""
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        try:
            trials = optuna.load_study(study_name="patients", storage=database).trials
        except KeyError:  # not created yet
            trials = []
        for trial in trials:
            if trial.state is TrialState.RUNNING and "task" in trial.user_attrs:
                process = psutil.Process(int(trial.user_attrs["worker"].split(":")[-2]))
                process.parent().kill()
                return trial.number
        time.sleep(0.2)
    raise AssertionError("no trial started")


def test_a_study_in_a_file_is_refused(mine: Path, team: Cluster):
    command = [*MODELYARD, "tune", "patients", "--scheduler", team.address]
    done = subprocess.run(command, cwd=mine, env=environment(mine), capture_output=True, text=True, timeout=900)
    assert done.returncode == 1
    assert "which the machines of the cluster do not have. Keep it in a database that they reach" in done.stderr
