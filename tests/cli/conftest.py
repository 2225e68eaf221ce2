"""A project folder for commands that run in this process, and a clone of few stages for those that run for real."""

import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from support.paths import ROOT
from support.pipelines import Run

CLAIM = {
    "says": "scaling changes nothing",
    "first": {"experiment": "diabetes_linear"},
    "second": {"experiment": "diabetes_linear", "changes": {"scaling": "minmax"}},
    "metric": "mae",
    "direction": "equal",
    "smallest": 0.01,
    "seeds": 6,
    "splits": True,
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: this project's params.yaml and dvc.yaml, no mirror, addresses that refuse at once."""
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    params["fetch"]["mirrors"] = []
    for entry in (params["datasets"] | params["backbones"]).values():
        for name, source in entry["files"].items():
            if "url" in source:
                source["url"] = f"http://127.0.0.1:9/{name}"
    folder = tmp_path / "project"
    folder.mkdir()
    YAML().dump(params, folder / "params.yaml")
    for name in ("dvc.yaml", "claims.yaml", "published.yaml"):
        (folder / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def run_linear(clone: Path, environment: dict[str, str]) -> Run:
    """Runs a command in a clone that holds one experiment and one claim, neither of which needs TensorFlow."""
    yaml = YAML()
    params = yaml.load(clone / "params.yaml")
    for section in ("transfers", "pretrained", "studies"):
        params[section] = {}
    linear = {"input": "diabetes_standard", "model": {"family": "linear"}, "training": {"seed": 777}}
    params["experiments"] = {"diabetes_linear": linear}
    yaml.dump(params, clone / "params.yaml")
    yaml.dump({"scaling": CLAIM}, clone / "claims.yaml")
    (clone / "published.yaml").unlink()

    def run(*arguments: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-c", "from modelyard.cli import app; app()", *arguments]
        around = environment | {"PYTHONPATH": str(clone / "src"), "COLUMNS": "200"}
        return subprocess.run(command, cwd=clone, env=around, capture_output=True, text=True, timeout=300)

    return run
