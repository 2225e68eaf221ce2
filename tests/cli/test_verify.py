"""`modelyard verify` in a clone: equal and different rebuilds, what stops them, and that nothing is left or changed."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.clones import surroundings
from support.commands import modelyard
from support.pipelines import Run, editing
from support.waiting import wait_until

CODE = "src/modelyard/models/families/linear.py"
COMMAND = (sys.executable, "-m", "modelyard")


@pytest.fixture(scope="module")
def built(replicated: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with one experiment, which is built; no test may change it."""
    folder = tmp_path_factory.mktemp("built") / "clone"
    shutil.copytree(replicated[0], folder, symlinks=True)
    shutil.rmtree(folder / "reports")  # the spread over seeds: of two seeds it is not known
    done = command(folder, "run", "diabetes_linear")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def project_folder(built: Path, tmp_path: Path) -> Path:
    """A copy of that clone."""
    (tmp_path / "temporary").mkdir()
    return Path(shutil.copytree(built, tmp_path / "clone", symlinks=True))


@pytest.fixture
def verify(project_folder: Path) -> Run:
    """Runs `modelyard verify` in that copy, with a folder for temporary files of its own."""
    return lambda *arguments: command(project_folder, "verify", *arguments)


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([*COMMAND, *arguments], cwd=folder, env=around(folder), capture_output=True, text=True)


def around(folder: Path) -> dict[str, str]:
    return surroundings() | {
        "PYTHONPATH": str(folder / "src"),
        "COLUMNS": "200",
        "TMPDIR": str(folder.parent / "temporary") if (folder.parent / "temporary").exists() else "/tmp",  # noqa: S108
    }


def files_of(folder: Path) -> dict[str, bytes]:
    """All files but compiled code, which Python writes."""
    paths = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_a_rebuild_with_equal_bytes_changes_and_leaves_nothing(verify: Run, project_folder: Path) -> None:
    before = files_of(project_folder)
    done = verify("diabetes_linear", "--bytes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✓ train@diabetes_linear" in done.stdout, "no cache is used"
    assert done.stdout.splitlines()[-1] == "✓ diabetes_linear: equal bytes (7 outputs)"
    assert files_of(project_folder) == before
    assert not list((project_folder.parent / "temporary").iterdir())


def test_a_run_records_the_machine_of_what_it_has_computed(project_folder: Path) -> None:
    record = project_folder / "reports" / "lineage.json"
    assert sorted(json.loads(record.read_text())["stages"]) == ["evaluate@diabetes_linear", "train@diabetes_linear"]
    shutil.rmtree(project_folder / "results" / "diabetes_linear" / "model")
    record.unlink()
    assert "✓ train@diabetes_linear" in command(project_folder, "run", "diabetes_linear").stdout
    assert not record.exists(), "DVC's run cache has restored it"


def test_edited_code_is_the_reason_of_a_difference(verify: Run, project_folder: Path) -> None:
    code = project_folder / CODE
    code.write_text(code.read_text().replace("LinearRegression()", "Ridge(1e6)").replace("LinearRegression", "Ridge"))
    done = verify("diabetes_linear", "--json")
    assert done.returncode == 1
    (found,) = json.loads(done.stdout)
    assert (found["experiment"], found["verdict"]) == ("diabetes_linear", "different")
    assert "results/diabetes_linear/model" in found["differing"]
    assert found["reasons"] == [f"{CODE} is not the file that the result was built with"]


@pytest.mark.slow
def test_an_edited_setting_is_the_reason_and_bytes_can_be_demanded(verify: Run, project_folder: Path) -> None:
    with editing(project_folder / "params.yaml") as params:
        params["inputs"]["diabetes_standard"]["scaling"] = "minmax"  # least squares: the same model but for rounding
    done = verify("diabetes_linear", "--bytes")
    assert "diabetes_linear: equal within the spread\n" in done.stdout
    assert "  reason: inputs.diabetes_standard.scaling: standard -> minmax\n" in done.stdout
    assert done.returncode == 1


@pytest.mark.slow
def test_data_that_is_not_available_is_the_reason_of_no_rebuild(verify: Run, project_folder: Path) -> None:
    shutil.rmtree(project_folder / "data" / "raw")
    with editing(project_folder / "params.yaml") as params:
        for source in params["datasets"]["diabetes"]["files"].values():
            source["package"] = "sklearn/nowhere.csv.gz"
    done = verify("diabetes_linear")
    assert done.returncode == 1
    assert "✗ diabetes_linear: not rebuilt\n  reason: fetch@diabetes failed. " in done.stdout
    assert "Not available" in done.stdout
    assert not list((project_folder.parent / "temporary").iterdir())


@pytest.mark.slow
def test_a_verification_that_is_stopped_leaves_nothing(project_folder: Path) -> None:
    before, temporary = files_of(project_folder), project_folder.parent / "temporary"
    running = subprocess.Popen(
        [*COMMAND, "verify", "diabetes_linear"], cwd=project_folder, env=around(project_folder), stdout=subprocess.PIPE
    )
    wait_until(lambda: list(temporary.glob("**/data/inputs/*/training")))
    running.send_signal(signal.SIGINT)
    output, _ = running.communicate(timeout=60)
    assert running.returncode == 130
    assert output.decode().endswith("Stopped. Nothing was kept or changed.\n")
    assert not list(temporary.iterdir())
    assert files_of(project_folder) == before


@pytest.mark.parametrize(
    "name, message",
    [
        ("boston_mpl", "no such experiment: boston_mpl; did you mean boston_mlp?"),
        ("cifar10_vgg16", "cifar10_vgg16 starts from downloaded weights, and only `modelyard run` builds it"),
        ("boston_mlp", "dvc.lock has no train@boston_mlp: there is no result to compare with. Run: modelyard run"),
    ],
)
def test_what_cannot_be_verified_is_refused_before_anything_runs(name: str, message: str, project: Path) -> None:
    result = modelyard("verify", name)
    assert result.exit_code == 1
    assert f"error: {message}" in result.output
    assert not (project / ".dvc").exists()
