"""The whole pipeline in a temporary copy of this project, with one epoch for each network."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from modelyard import params

ROOT = Path(__file__).parents[1]
NOT_COPIED = {
    ".venv", ".git", ".dvc/cache", ".dvc/tmp", ".modelyard", "data/raw", "data/inputs", "results", "reports",
    "pretrained/results", "mlartifacts", "mlflow.db", "wheels",
}  # fmt: skip
PROJECT = params.load(ROOT / "params.yaml")
NAMES = [*PROJECT.experiments, *PROJECT.transfers]
SOURCES = [source for dataset in PROJECT.datasets.values() for source in dataset.files.values()]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The copy, after every experiment was built in it."""
    missing = [source.path for source in SOURCES if source.path and not (ROOT / source.path).exists()]
    if missing:
        pytest.skip(f"NOT TESTED: {', '.join(missing)} is not here; bring it with dvc pull")
    if not NAMES:
        pytest.skip("NOT TESTED: params.yaml has no experiment yet")
    folder = tmp_path_factory.mktemp("copy") / "project"
    shutil.copytree(ROOT, folder, ignore=not_copied)
    settings = YAML(typ="safe").load(folder / "params.yaml")
    for name in NAMES:
        training = {**settings["experiments"], **settings["transfers"]}[name]["training"]
        training.update({"epochs": 1} if "epochs" in training else {})
    YAML().dump(settings, folder / "params.yaml")
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    modelyard(folder, "run", "--strict", *NAMES)
    return folder


def not_copied(folder: str, names: list[str]) -> set[str]:
    """The names in a folder that are not copied."""
    return {name for name in names if (Path(folder) / name).relative_to(ROOT).as_posix() in NOT_COPIED}


def modelyard(folder: Path, *arguments: str) -> str:
    """Run a command in a folder, without tracking; returns what it prints."""
    environment = os.environ | {"MODELYARD_TRACKING": "off", "COLUMNS": "200"}
    command = [sys.executable, "-m", "modelyard", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_experiment_has_metrics_with_intervals(built: Path):
    for name in NAMES:
        metrics = json.loads((built / "results" / name / "metrics.json").read_text())
        details = json.loads((built / "results" / name / "details.json").read_text())
        assert metrics
        assert details["intervals"].keys() == metrics.keys()


def test_a_second_run_builds_nothing(built: Path):
    assert "\n0 of " in modelyard(built, "run", "--dry-run", *NAMES)


def test_every_model_predicts_a_test_sample(built: Path):
    for name in NAMES:
        assert modelyard(built, "predict", name, "--test-row", "0").strip()
