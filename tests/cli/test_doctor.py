"""`modelyard doctor`: versions, data sets and the tracking store, without importing anything heavy."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import modelyard, table_row


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
    assert "reachable: " in table_row(result.output, "digits ")
    assert "unreachable" in table_row(result.output, "mnist ")


def test_doctor_prints_the_mirror_that_a_data_set_would_come_from(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    mirror = tmp_path / "mirror"
    (mirror / "reuters").mkdir(parents=True)
    for name in ("reuters.npz", "reuters_word_index.json"):
        (mirror / "reuters" / name).touch()
    monkeypatch.setenv("MODELYARD_MIRROR", str(mirror))
    assert f"reachable: {mirror}/reuters" in modelyard("doctor").output


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
