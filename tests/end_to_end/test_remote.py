"""DVC's remote: what one person has built, another takes from an S3-compatible server and builds nothing again."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer
from support.clones import clone_into, surroundings
from support.pipelines import add_linear, dvc, editing_params, keep_only, lock, stages_run
from support.repositories import git

pytestmark = pytest.mark.slow

BUCKET = "modelyard"
STAGES = ["fetch@diabetes", "normalise@diabetes_standard", "train@patients", "evaluate@patients"]
LAST = STAGES[-1]
BUILT = ("data/inputs/diabetes_standard/training", "results/patients/model", "results/patients/metrics.json")
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "somebody",
    "AWS_SECRET_ACCESS_KEY": "something",
    "AWS_DEFAULT_REGION": "eu-north-1",
}
NO_OTHERS = {"AWS_EC2_METADATA_DISABLED": "true"}  # else an address is asked that only Amazon's machines have

At = Callable[..., subprocess.CompletedProcess]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The URL of a server that speaks S3, with a bucket in it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    given = {"aws_access_key_id": "somebody", "aws_secret_access_key": "something", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=f"http://{host}:{port}", **given).create_bucket(Bucket=BUCKET)
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def at() -> At:
    """Runs a command in a clone, with the clone's own code and somebody's credentials."""
    kept = {name: value for name, value in surroundings().items() if not name.startswith("AWS_")}

    def at(folder: Path, *command: str, check: bool = True, **variables: str) -> subprocess.CompletedProcess:
        own = {"PYTHONPATH": str(folder / "src"), "HOME": str(folder.parent)}  # no person's account is there
        around = kept | own | NO_OTHERS | CREDENTIALS | variables
        done = subprocess.run(command, cwd=folder, env=around, capture_output=True, text=True, timeout=300)
        assert not check or done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
        return done

    return at


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory, address: str, at: At) -> Path:
    """A project of one small experiment that was built, committed and pushed."""
    clone = clone_into(tmp_path_factory.mktemp("remote") / "mine")
    with editing_params(clone) as params:
        add_linear("patients", "diabetes_standard", params)
        params["experiments"]["patients"]["model"] = {"family": "boosting", "n_estimators": 10}
        keep_only(params, ["patients"])
    for line in ("remote add -d team s3://modelyard/team", f"remote modify team endpointurl {address}"):
        at(clone, *dvc(*line.split()))
    assert stages_run(at(clone, *dvc("repro", LAST))) == STAGES
    commit(clone)
    at(clone, *dvc("push", "--run-cache"))
    return clone


def commit(clone: Path) -> None:
    git(clone, "add", "-A")
    git(clone, "commit", "-qm", "built")


@pytest.fixture
def theirs(mine: Path, tmp_path: Path) -> Path:
    """A colleague's clone of the commit, with nothing that git does not keep."""
    theirs = tmp_path / "theirs"
    subprocess.run(["git", "clone", "-q", str(mine), str(theirs)], check=True)
    assert not (theirs / "data" / "inputs" / "diabetes_standard" / "training").exists()
    return theirs


def test_a_colleague_rebuilds_nothing_that_is_built(mine, theirs, at):
    assert stages_run(at(theirs, *dvc("repro", "--pull", LAST))) == []
    assert all((theirs / each).exists() for each in BUILT)
    assert lock(theirs) == lock(mine)
    assert stages_run(at(theirs, *dvc("repro", LAST), AWS_ACCESS_KEY_ID="")) == [], "nor later, without the server"


def test_after_an_edit_only_what_follows_from_it_is_built_and_no_raw_data_travels(theirs, at):
    with editing_params(theirs) as params:
        params["experiments"]["patients"]["model"]["n_estimators"] = 11
    assert stages_run(at(theirs, *dvc("repro", "--pull", "--allow-missing", LAST))) == STAGES[2:]
    assert not (theirs / "data" / "raw" / "diabetes").exists()


def test_a_training_that_dvc_lock_does_not_name_is_brought_back_by_the_settings_that_gave_it(mine, theirs, at):
    """Fetching and evaluating are repeated: DVC keeps no run that leaves files to git, or had none to begin with."""
    (theirs / "dvc.lock").unlink()
    assert stages_run(at(theirs, *dvc("repro", "--pull", LAST))) == [STAGES[0], LAST]
    assert lock(theirs) == lock(mine)


def test_no_credentials_are_in_the_repository_and_without_them_nothing_is_returned(mine, theirs, at):
    assert CREDENTIALS["AWS_SECRET_ACCESS_KEY"] not in (mine / ".dvc" / "config").read_text()
    refused = at(theirs, *dvc("pull"), check=False, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert refused.returncode != 0
    assert "Unable to locate credentials" in refused.stderr
