"""The command `modelyard` as a whole: help, version, and mistakes that stop it before any work."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from support.commands import modelyard
from support.paths import ROOT

from modelyard.params.schemas import ROOT_TYPES, json_schema

COMMANDS = {
    "run", "experiments", "runs", "tune", "predict", "promote", "rollback", "replicate", "explain", "report", "doctor",
    "ui", "schema", "clean",
}  # fmt: skip


def contents(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*")}


def test_without_a_command_the_help_lists_all_commands_and_where_to_start():
    output = modelyard().output
    assert [command for command in COMMANDS if f" {command} " not in output] == []
    assert "modelyard doctor" in output
    assert "modelyard run --demo" in output


@pytest.mark.parametrize(
    ("command", "mention"),
    [
        ("run", ["--jobs", "--demo", "--strict", "modelyard run mnist_cnn boston_mlp"]),
        ("tune", ["--trials", "--jobs", "--join", "modelyard tune digits_cnn --new"]),
        ("predict", ["--test-row", "--output", "--show", "modelyard predict mnist_cnn --test-row 17"]),
        ("replicate", ["--seeds", "--minutes", "--splits", "modelyard replicate dropout one_neuron"]),
        ("explain", ["--shuffles", "modelyard explain boston_linear"]),
        ("report", ["--against", "--output", "modelyard report --against main"]),
        ("promote", ["--force", "REASON", "modelyard promote mnist_cnn"]),
        ("rollback", ["modelyard rollback mnist"]),
        ("ui", ["--port", "modelyard ui --port 5001"]),
        ("doctor", ["versions, processor, disk"]),
        ("clean", ["--yes", "copies of registered models"]),
        ("experiments", ["data set, model family and main metric"]),
        ("schema", ["JSON Schema of params.yaml", "modelyard schema claims"]),
        ("runs", ["backfill", "explain"]),
    ],
)
def test_the_help_of_a_command_has_its_options_and_examples(command: str, mention: list[str]):
    result = modelyard(command, "--help")
    assert result.exit_code == 0
    assert [text for text in mention if text not in result.output] == []


def test_the_version_is_that_of_the_project():
    written = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert modelyard("--version").output == f"modelyard {written}\n"


def test_the_help_imports_none_of_the_heavy_packages():
    code = "import sys; from modelyard.cli import app; app(['--help'], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert {
        "tensorflow",
        "keras",
        "mlflow",
        "optuna",
        "dvc",
        "pandas",
        "numpy",
        "sklearn",
        "pydantic",
    } & loaded == set()


def test_a_mistake_in_params_stops_before_anything_is_made(project: Path):
    params = project / "params.yaml"
    params.write_text(params.read_text().replace("epochs: 40\n", "epohcs: 40\n", 1))
    before = contents(project)
    result = modelyard("run")
    assert result.exit_code == 1
    assert "params.yaml has a mistake; nothing was run." in result.output
    assert "experiments.digits_mlp.training.epohcs (line " in result.output
    assert "did you mean epochs?" in result.output
    assert contents(project) == before


@pytest.mark.parametrize("command", ["run", "doctor"])
def test_outside_a_project_it_says_where_to_run(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    result = modelyard(command)
    assert result.exit_code == 1
    assert "error: params.yaml: no such file. Run from the folder that holds dvc.yaml." in result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file", ROOT_TYPES)
def test_schema_prints_the_json_schema_of_a_file(file: str):
    assert json.loads(modelyard("schema", file).output) == json_schema(file)


def test_schema_prints_that_of_params_by_default_and_refuses_other_files():
    assert modelyard("schema").output == (ROOT / "params.schema.json").read_text(encoding="utf-8")
    assert modelyard("schema", "dvc").exit_code == 2


def test_the_installed_command_is_this_one():
    command = Path(sys.executable).with_name("modelyard")
    done = subprocess.run([command, "--help"], check=True, capture_output=True, text=True)
    assert "Rebuild, track, tune and compare the models" in done.stdout


def test_make_help_lists_every_target():
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    phony = next(line for line in makefile.splitlines() if line.startswith(".PHONY:"))
    done = subprocess.run(["make", "-s", "help"], cwd=ROOT, check=True, capture_output=True, text=True)
    listed = {line.split()[1]: line.split()[2:] for line in done.stdout.splitlines()}
    targets = {target for target in phony.split()[1:] if not target.startswith("check-")}  # steps of `make lint`
    assert targets <= set(listed)
    assert all(listed.values())
