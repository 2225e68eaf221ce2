"""`modelyard clean`: it shows what nothing refers to, asks, and removes that and nothing else."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.commands import modelyard
from support.pipelines import editing, init_dvc

from modelyard.cli import clean


@pytest.fixture
def cluttered(project: Path) -> Path:
    """A project with DVC, and files of entries that it has, and of those that it does not have any more."""
    init_dvc(project)
    for name in (
        "data/raw/xor/xor.csv",
        "data/raw/gone/gone.csv",
        "data/inputs/gone/training/x.npy",
        "results/xor_mlp/model/model.keras",
        "results/gone/model/model.keras",
        "results/gone/metrics.json",
        "results/gone/card.md",
        "reports/label_errors/xor_mlp.csv",
        "reports/label_errors/gone.csv",
        "mlflow.db.b.20260101T000000.backup",
        "mlflow.db.a.20260201T000000.backup",
        ".modelyard/models/0123/model.keras",
        ".modelyard/runs/xor_mlp",
        ".modelyard/training/xor_mlp.npz",
        ".modelyard/training/gone.npz",
        "data/inputs/.xor.abcd.part/x.npy",
        ".params.yaml.abcd.part",
    ):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_bytes(b"x" * 1000)
    make_old(project / "data" / "inputs" / ".xor.abcd.part", "x.npy")
    make_old(project / ".params.yaml.abcd.part")
    return project


def make_old(folder: Path, *names: str) -> None:
    """Let a folder and files in it look as if they were changed more than an hour ago."""
    for path in (*(folder / name for name in names), folder):
        os.utime(path, (time.time() - 3700,) * 2)


def files(root: Path) -> set[str]:
    places = (root / name for name in ("data", "results", "reports", ".modelyard"))
    found = [*root.glob(".*.part"), *root.glob("*.backup"), *(path for place in places for path in place.rglob("*"))]
    return {str(path.relative_to(root)) for path in found if path.is_file()}


def test_what_nothing_refers_to_is_shown_and_removed_once_one_agrees(cluttered: Path, monkeypatch) -> None:
    before = files(cluttered)
    asked = modelyard("clean", columns=200)
    assert asked.exit_code == 1
    assert "Remove these files? [y/N]" in asked.output
    for shown in (
        "data/raw/gone",
        "data/inputs/gone",
        "results/gone/model",
        "results/gone/card.md",
        "reports/label_errors/gone.csv",
        "mlflow.db.b.20260101T000000.backup",
        ".modelyard/models/0123",
        ".modelyard/training/gone.npz",
        ".xor.abcd.part",
        ".params.yaml.abcd.part",
    ):
        assert shown in asked.output
    assert files(cluttered) == before
    done = modelyard("clean", "--yes", columns=200)
    assert (done.exit_code, "Removed 10.0 kB." in done.output) == (0, True)
    kept = {"data/raw/xor/xor.csv", "results/xor_mlp/model/model.keras", "results/gone/metrics.json"}
    kept |= {"reports/label_errors/xor_mlp.csv", "mlflow.db.a.20260201T000000.backup"}
    assert files(cluttered) == kept | {".modelyard/runs/xor_mlp", ".modelyard/training/xor_mlp.npz"}
    assert "There is nothing to remove." in modelyard("clean").output


def test_the_first_paths_of_a_group_are_shown_and_how_many_more_there_are(cluttered: Path) -> None:
    for number in range(20):
        (cluttered / "data" / "raw" / f"left_{number:02}").mkdir()
    lines = modelyard("clean", columns=200).output.splitlines()
    (first,) = (number for number, line in enumerate(lines) if "raw data that params.yaml" in line)
    shown = [line.split("  ")[-1].strip() for line in (each.rstrip() for each in lines[first : first + 11])]
    assert shown == ["data/raw/gone", *(f"data/raw/left_{number:02}" for number in range(9)), "and 11 more"]


def test_a_persons_own_files_in_data_and_what_is_being_written_stay(cluttered: Path) -> None:
    with editing(cluttered / "params.yaml") as content:
        source = {"path": "data/raw/mine/houses.csv", "sha256": "0" * 64}
        content["datasets"]["xor"]["files"] = {"houses.csv": source}
    for name in ("data/raw/mine/houses.csv", "reports/.claims.md.0123.part"):
        (cluttered / name).parent.mkdir(parents=True, exist_ok=True)
        (cluttered / name).write_bytes(b"x")
    assert modelyard("clean", "--yes").exit_code == 0
    assert (cluttered / "data/raw/mine/houses.csv").exists()
    assert (cluttered / "reports/.claims.md.0123.part").exists()
    assert not (cluttered / "data/raw/gone").exists()


def test_label_sheets_that_git_keeps_stay_and_so_does_what_is_none(cluttered: Path) -> None:
    sheets = cluttered / "reports" / "label_errors"
    for name in ("checked.csv", "checked.png", "notes.md"):
        (sheets / name).write_bytes(b"x")
    subprocess.run(["git", "init", "--quiet"], cwd=cluttered, check=True)
    subprocess.run(["git", "add", "--force", *sheets.glob("checked.*")], cwd=cluttered, check=True)
    assert modelyard("clean", "--yes").exit_code == 0
    assert {path.name for path in sheets.iterdir()} == {"xor_mlp.csv", "checked.csv", "checked.png", "notes.md"}


@pytest.mark.parametrize("path", ["{project}/data/raw/mine/houses.csv", "./data/../data/raw/mine", "data/raw", "data"])
def test_a_persons_own_files_stay_however_their_path_is_written(cluttered: Path, path: str) -> None:
    with editing(cluttered / "params.yaml") as content:
        source = {"path": path.format(project=cluttered), "sha256": "0" * 64}
        content["datasets"]["xor"]["files"] = {"houses.csv": source}
    (cluttered / "data/raw/mine").mkdir()
    (cluttered / "data/raw/mine/houses.csv").write_bytes(b"x")
    assert modelyard("clean", "--yes").exit_code == 0
    assert (cluttered / "data/raw/mine/houses.csv").exists()


def test_the_folder_that_a_training_of_dvc_writes_into_stays(cluttered: Path) -> None:
    for name in ("locked", "written", "left"):
        folder = cluttered / "results" / name / ".model.abcd.part"
        folder.mkdir(parents=True)
        (folder / "model.keras").touch()
        make_old(folder, *(["model.keras"] if name != "written" else []))
    with subprocess.Popen(["sleep", "600"]) as training:
        locked = {str(cluttered / "results/locked/model"): {"pid": training.pid, "cmd": "dvc repro"}}
        (cluttered / ".dvc/tmp").mkdir(exist_ok=True)
        (cluttered / ".dvc/tmp/rwlock").write_text(json.dumps({"write": locked, "read": {}}))
        assert modelyard("clean", "--yes").exit_code == 0
        training.kill()
    left = {path.parent.name for path in cluttered.glob("results/*/.model.abcd.part")}
    assert left == {"locked", "written"}


def test_a_mistake_in_params_yaml_removes_nothing(cluttered: Path) -> None:
    before = files(cluttered)
    with (cluttered / "params.yaml").open("a") as params:
        params.write("\nexperimentz: {}\n")
    result = modelyard("clean", "--yes")
    assert result.exit_code == 1
    assert "experimentz" in result.output
    assert files(cluttered) == before


def test_what_vanishes_while_its_size_is_taken_counts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kept").write_bytes(b"x" * 10)
    (tmp_path / "gone").mkdir()
    entries = Path.iterdir

    def vanish(path: Path) -> Iterator[Path]:
        if path.name == "gone":
            raise FileNotFoundError(path)
        return entries(path)

    monkeypatch.setattr(Path, "iterdir", vanish)
    assert clean.size(tmp_path) == 10
    assert clean.size(tmp_path / "never") == 0


def test_usage_lists_what_takes_the_disk_the_largest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_CACHE", str(tmp_path / "cache"))
    assert clean.usage(tmp_path) == "nothing yet"
    sizes = {"results/a/model": 3, "mlflow.db": 1, "mlflow.db.a.1.backup": 4, "mlflow.db.b.2.backup": 4}
    sizes |= {"reports/a.csv": 2, ".dvc/tmp/a.log": 5, "cache/a": 6}
    for name, size in sizes.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * 1000 * size)
    (tmp_path / "mlartifacts").symlink_to(tmp_path / "results")
    assert clean.usage(tmp_path) == (
        f"copies of them before a migration 8.0 kB, downloads of all projects in {tmp_path / 'cache'} 6.0 kB, "
        "logs and temporary files of DVC 5.0 kB, results 3.0 kB, reports 2.0 kB, runs and their curves 1.0 kB"
    )
