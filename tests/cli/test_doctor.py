"""`modelyard doctor`: versions, data sets and the tracking store, without importing anything heavy."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from support.commands import modelyard, table_row
from support.projects import edit
from support.tables import assert_whole_words

from modelyard.cli import doctor
from modelyard.core import machine


def test_doctor_prints_versions_and_where_each_data_set_is(project: Path):
    raw = project / "data" / "raw" / "xor"
    raw.mkdir(parents=True)
    (raw / "xor.csv").touch()
    result = modelyard("doctor")
    assert result.exit_code == 0
    for name in ("tensorflow 2.", "keras 3.", "dvc 3.", "Python", "processor", "GiB free"):
        assert name in result.output
    assert "missing" not in table_row(result.output, "packages")
    assert "here" in table_row(result.output, "xor ")
    assert " reachable" in table_row(result.output, "digits ")
    assert "unreachable" in table_row(result.output, "mnist ")


@pytest.mark.usefixtures("project")
def test_doctor_says_what_to_do_about_unreachable_data():
    output = modelyard("doctor").output
    unreachable = output.count(" unreachable ")
    assert f"\nUnreachable: {unreachable}. What to do: connect to the network" in output


def test_doctor_names_a_missing_file_of_ones_own(project: Path):
    own = {"nix.csv": {"path": "data/nix.csv", "sha256": "0" * 64}}
    edit(project / "params.yaml", "datasets", "xor", "files", value=own)
    output = modelyard("doctor").output
    assert " missing" in table_row(output, "xor ")
    assert "\ndata/nix.csv is not here: put it there, or correct the `path` of xor in params.yaml.\n" in output
    assert f"\nUnreachable: {output.count(' unreachable ')}." in output


@pytest.mark.usefixtures("project")
def test_doctor_warns_of_a_system_that_is_not_supported(monkeypatch: pytest.MonkeyPatch):
    assert "supported" not in modelyard("doctor").output
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    monkeypatch.delattr(os, "sched_getaffinity")
    result = modelyard("doctor")
    assert result.exit_code == 0
    assert "on Darwin arm64 (not supported: tested on Linux x86_64 only)" in result.output


@pytest.mark.usefixtures("project")
def test_doctor_says_how_many_cores_a_quota_grants(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor, "core_count", lambda: 3)
    monkeypatch.setattr(doctor, "usable_cores", lambda: list(range(16)))
    assert "3 of 16 cores, by the quota of a container" in table_row(modelyard("doctor").output, "processor")


@pytest.mark.parametrize(
    ("driver", "device", "shown"),
    [
        (False, "cpu", "none"),
        (False, "gpu", "none, but runtime.device is gpu"),
        (True, "cpu", "NVIDIA T4, not used: runtime.device is cpu"),
        (True, "gpu", "NVIDIA T4, used"),
    ],
)
def test_doctor_shows_the_gpus_and_whether_they_are_used(
    driver: bool, device: str, shown: str, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    edit(project / "params.yaml", "runtime", "device", value=device)
    if driver:
        (tmp_path / "gpus" / "0000:00:04.0").mkdir(parents=True)
        (tmp_path / "gpus" / "0000:00:04.0" / "information").write_text("Model: \t\t NVIDIA T4\nIRQ:   \t\t 10\n")
    monkeypatch.setattr(machine, "GPUS", tmp_path / "gpus")
    assert table_row(modelyard("doctor").output, "GPU").split() == ["GPU", *shown.split()]


@pytest.mark.parametrize("name", ["dvc.yaml", "dvc.lock"])
def test_doctor_finds_a_merge_conflict_in_the_pipeline(name: str, project: Path):
    (project / name).write_text("<<<<<<< HEAD\nstages: {}\n=======\n")
    result = modelyard("doctor")
    assert result.exit_code == 1
    assert "Data sets and backbones" in result.output
    assert f"error: {name}, line 1: unresolved merge conflict" in result.output


def test_doctor_finds_a_study_that_lacks_its_experiments_value(project: Path):
    edit(project / "params.yaml", "experiments", "digits_cnn", "training", "epochs", value=41)
    assert modelyard("experiments").exit_code == 0
    result = modelyard("doctor")
    assert result.exit_code == 1
    assert "see the error below" in table_row(result.output, "studies")
    assert "studies.digits_cnn.search_space.training.epochs (line" in result.output
    assert "it must hold the experiment's own value 41" in result.output


def test_doctor_says_which_section_dvc_needs(project: Path):
    params = YAML(typ="safe").load(project / "params.yaml")
    del params["transfers"], params["units"], params["fetch"]
    YAML().dump(params, project / "params.yaml")
    result = modelyard("doctor")
    assert result.exit_code == 1
    assert "this section is missing, and dvc.yaml needs it; for none, write `transfers: {}`" in result.output
    assert "params.yaml has a mistake;" in result.output


def test_a_description_that_looks_like_markup_is_printed_as_it_is(project: Path):
    params = YAML(typ="safe").load(project / "params.yaml")
    params["datasets"]["xor"]["description"] = "Closes [/nothing]."
    YAML().dump(params, project / "params.yaml")
    assert "Closes [/nothing]." in table_row(modelyard("doctor").output, "xor ")


def test_doctor_prints_the_mirror_that_a_data_set_would_come_from(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    mirror = tmp_path / "mirror"
    (mirror / "reuters").mkdir(parents=True)
    for name in ("reuters.npz", "reuters_word_index.json"):
        (mirror / "reuters" / name).touch()
    monkeypatch.setenv("MODELYARD_MIRROR", str(mirror))
    narrow, wide = (
        modelyard("doctor", columns=columns).output.partition("Data sets and backbones")[2] for columns in (80, 300)
    )
    assert f"\nReachable: reuters from {mirror}/reuters\n" in narrow
    assert_whole_words(narrow, wide)


@pytest.mark.usefixtures("project")
def test_doctor_imports_none_of_the_heavy_packages():
    code = "import sys; from modelyard.cli.doctor import examine; examine(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert {"tensorflow", "keras", "mlflow", "optuna", "dvc", "pandas", "sklearn", "scipy"} & loaded == set()


@pytest.mark.parametrize(
    "address", ["postgresql://ann:hush@db:5432/runs", "https://ann:hush@example.org", "http://ann:hu@sh@example.org"]
)
@pytest.mark.usefixtures("project")
def test_doctor_hides_the_password_of_the_tracking_store(address: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MODELYARD_TRACKING", "on")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    runs = table_row(modelyard("doctor").output, "runs")
    assert address.rpartition("@")[2] in runs
    assert "hush" not in runs
    assert "hu@sh" not in runs


@pytest.mark.usefixtures("project")
def test_doctor_says_that_tracking_is_off():
    assert "nowhere: MODELYARD_TRACKING is off" in modelyard("doctor").output
