"""A project folder for commands that run in this process, and a clone of few stages for those that run for real."""

import shutil
import subprocess
import sys
from functools import partial
from io import StringIO
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from support.clones import clone_into, surroundings
from support.paths import ROOT
from support.pipelines import Run

CLAIM = {
    "says": "a fifth less of training samples changes little",
    "first": {"experiment": "diabetes_linear"},
    "second": {"experiment": "diabetes_linear", "changes": {"split.validation": 0.2}},
    "metric": "mae",
    "direction": "equal",
    "smallest": 10.0,
    "seeds": 6,
    "splits": True,
}


@pytest.fixture(scope="session")
def offline_params() -> str:
    """This project's params.yaml without mirrors, with addresses that refuse at once; made once, as it is large."""
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    params["fetch"]["mirrors"] = []
    for entry in (params["datasets"] | params["backbones"]).values():
        for name, source in entry["files"].items():
            if "url" in source:
                source["url"] = f"http://127.0.0.1:9/{name}"
    text = StringIO()
    YAML().dump(params, text)
    return text.getvalue()


@pytest.fixture
def project(offline_params: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: this project's dvc.yaml, and its settings without a network."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "params.yaml").write_text(offline_params)
    for name in ("dvc.yaml", "claims.yaml", "published.yaml"):
        (folder / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.chdir(folder)
    return folder


def run_in(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess:
    """Run the command in a clone, with the clone's own code."""
    around = surroundings() | {"PYTHONPATH": str(folder / "src"), "COLUMNS": "200"} | variables
    command = [sys.executable, "-m", "modelyard", *arguments]
    return subprocess.run(command, cwd=folder, env=around, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="package")
def replicated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A clone with one experiment and one claim, neither of which needs TensorFlow, after `modelyard replicate`.

    Returns the clone, which no test may change, and the output.
    """
    folder, yaml = clone_into(tmp_path_factory.mktemp("replicated") / "clone"), YAML()
    params = yaml.load(folder / "params.yaml")
    for section in ("transfers", "pretrained", "studies", "batches"):
        params[section] = {}
    linear = {"input": "diabetes_standard", "model": {"family": "linear"}, "training": {"seed": 777}}
    params["experiments"] = {"diabetes_linear": linear}
    yaml.dump(params, folder / "params.yaml")
    yaml.dump({"fewer_samples": CLAIM}, folder / "claims.yaml")
    (folder / "published.yaml").unlink()
    done = run_in(folder, "replicate", "--jobs", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


@pytest.fixture
def linear_clone(replicated: tuple[Path, str], tmp_path: Path) -> Path:
    """A copy of that clone."""
    return Path(shutil.copytree(replicated[0], tmp_path / "clone", symlinks=True))


@pytest.fixture
def run_linear(linear_clone: Path) -> Run:
    """Runs a command in `linear_clone`."""
    return partial(run_in, linear_clone)
