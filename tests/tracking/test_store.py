"""The tracking store: its address, its creation, and several processes that write to it at once."""

import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
from support.mlflow_runs import runs_of, store_of

from modelyard import tracking
from modelyard.tracking import store

EXPERIMENTS = [f"experiment_{number}" for number in range(10)]
EPOCHS = 5


def test_the_default_store_is_a_database_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert tracking.tracking_uri() == f"sqlite:///{tmp_path}/mlflow.db"


def test_within_a_dvc_experiment_it_is_in_the_root_of_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    assert tracking.tracking_uri() == f"sqlite:///{tmp_path}/mlflow.db"


def test_a_relative_path_is_meant_from_the_root_of_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    for path in ("other.db", "runs/other.db"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}")
        assert tracking.tracking_uri() == f"sqlite:///{tmp_path}/{path}"


@pytest.mark.parametrize(
    "address, file",
    [
        ("sqlite:////runs/my%20runs.db", Path("/runs/my runs.db")),
        ("sqlite:///:memory:", None),
        ("sqlite:////runs/other.db?timeout=5", None),
        ("postgresql://db/mlflow", None),
    ],
)
def test_only_the_address_of_a_plain_file_is_one(
    address: str, file: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    assert store.database_file() == file


@pytest.mark.parametrize(
    "address, command",
    [
        ("postgresql+psycopg://ann:hush@db/runs", "mlflow gc"),
        ("https://ann:hush@host", "mlflow gc"),
        ("", "MLFLOW_TRACKING_URI='sqlite:///{}/mlflow.db' mlflow gc"),
        ("sqlite:///other.db", "MLFLOW_TRACKING_URI='sqlite:///{}/other.db' mlflow gc"),
    ],
)
def test_a_command_has_the_address_of_a_file_and_none_with_a_password(
    address: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "my project"
    monkeypatch.setenv("DVC_ROOT", str(folder))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    assert store.mlflow_command("gc") == command.format(folder)


@pytest.mark.parametrize("name", ["100% sure?", "a%20b", "a#b@c:d"])
def test_the_name_of_the_folder_may_have_special_characters(
    name: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = project / name
    folder.mkdir()
    (project / "mlflow.db").rename(folder / "mlflow.db")
    monkeypatch.chdir(folder)
    with tracking.training_run("an_experiment"):
        mlflow.log_text("a text", "notes.txt")
    assert not (project / "mlflow.db").exists()
    (run,) = runs_of(tracking.tracking_uri())
    assert list((folder / "mlartifacts").rglob("notes.txt"))
    assert mlflow.artifacts.load_text(f"{run.info.artifact_uri}/notes.txt") == "a text"


def test_a_user_without_a_home_can_track_runs(project: Path, environment: dict[str, str]) -> None:
    script = """
import pwd
def no_such_user(uid):
    raise KeyError(uid)
pwd.getpwuid = no_such_user
from modelyard import tracking
with tracking.training_run("an_experiment"):
    pass
"""
    homeless = {name: value for name, value in environment.items() if name not in ("HOME", "USER", "LOGNAME")}
    command = [sys.executable, "-c", script]
    tracked = homeless | {"MODELYARD_TRACKING": "on"}
    done = subprocess.run(command, cwd=project, env=tracked, check=True, capture_output=True, text=True)
    assert "warning" not in done.stderr
    assert [run.info.status for run in runs_of(store_of(project))] == ["FINISHED"]


def test_the_tracking_uri_of_the_environment_wins(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "mlflow.db").rename(project / "elsewhere.db")
    elsewhere = f"sqlite:///{project / 'elsewhere.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", elsewhere)
    with tracking.training_run("an_experiment"):
        pass
    assert [run.info.run_name for run in runs_of(elsewhere)] == ["an_experiment"]
    assert not (project / "mlflow.db").exists()


def test_an_experiment_that_another_machine_creates_at_the_same_time_is_used(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracking.connect()
    with monkeypatch.context() as racing:
        racing.setattr(mlflow, "get_experiment_by_name", lambda name: None)
        tracking.connect()
    with tracking.training_run("an_experiment"):
        pass
    assert [run.info.run_name for run in runs_of(store_of(project))] == ["an_experiment"]


def test_the_password_of_the_store_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://ann:hush@db.example.org/runs")
    assert tracking.masked_tracking_uri() == "postgresql://...@db.example.org/runs"
    assert tracking.mask_password("cannot reach ann:hush@db.example.org") == "cannot reach ...@db.example.org"


@pytest.mark.parametrize(
    "value, expected", [("off", False), ("0", False), ("FALSE", False), ("no", False), ("on", True)]
)
def test_tracking_can_be_disabled(value: str, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_TRACKING", value)
    assert tracking.is_enabled() is expected


# What train and evaluate do, without a model; four processes share ten experiments and start together.
FOUR_WRITERS = """
import multiprocessing, sys
from pathlib import Path
import mlflow  # once, before the fork: the four then reach the store together
from modelyard import tracking

fork = multiprocessing.get_context("fork")
together = fork.Barrier(4)
names, epochs, figures = sys.argv[1].split(","), int(sys.argv[2]), Path(sys.argv[3])

def work(number):
    together.wait()
    for name in names[number::4]:
        with tracking.training_run(name) as run:
            for epoch in range(1, epochs + 1):
                run.log_epoch({"epoch": epoch, "loss": 1 / epoch})
        with tracking.evaluation_run(name) as run:
            run.log_evaluation({"mse": 4.0}, {"intervals": {"mse": (3.0, 5.0)}}, figures)
            run.log_lineage({"data/inputs/x/training": "1" * 32}, {f"results/{name}/model": "2" * 32})

processes = [fork.Process(target=work, args=(number,)) for number in range(4)]
for process in processes:
    process.start()
for process in processes:
    process.join()
print([process.exitcode for process in processes])
"""


@pytest.mark.slow
def test_four_processes_lose_no_run_on_a_new_sqlite_store(tmp_path: Path, environment: dict[str, str]) -> None:
    run_four_writers(tmp_path, environment)
    assert_every_run_is_complete(store_of(tmp_path))


@pytest.mark.slow
def test_four_processes_lose_no_run_on_a_new_postgresql_and_artifacts_stay_in_the_project(
    postgresql: str,
    tmp_path: Path,
    environment: dict[str, str],
) -> None:
    run_four_writers(tmp_path, environment | {"MLFLOW_TRACKING_URI": postgresql})
    assert_every_run_is_complete(postgresql)
    assert len(list((tmp_path / "mlartifacts").glob("*/artifacts/figures/a.png"))) == len(EXPERIMENTS)
    assert not (tmp_path / "mlflow.db").exists()


def run_four_writers(folder: Path, environment: dict[str, str]) -> None:
    (folder / "figures").mkdir()
    (folder / "figures" / "a.png").write_bytes(b"a plot")
    command = [sys.executable, "-c", FOUR_WRITERS, ",".join(EXPERIMENTS), str(EPOCHS), str(folder / "figures")]
    tracked = environment | {"MODELYARD_TRACKING": "on", "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL": "0.1"}
    done = subprocess.run(command, cwd=folder, env=tracked, check=True, capture_output=True, text=True, timeout=500)
    assert done.stdout == "[0, 0, 0, 0]\n"
    assert "warning: " not in done.stderr


def assert_every_run_is_complete(store: str) -> None:
    client = mlflow.MlflowClient(store)
    runs = runs_of(store)
    assert sorted(run.info.run_name for run in runs) == EXPERIMENTS
    for run in runs:
        assert run.info.status == "FINISHED"
        assert run.data.metrics["test_mse"] == pytest.approx(4)
        history = client.get_metric_history(run.info.run_id, "loss")
        assert [(each.step, each.value) for each in history] == [(step, 1 / step) for step in range(1, EPOCHS + 1)]
        assert "lineage" in run.data.tags
        artifacts = client.list_artifacts(run.info.run_id)
        assert [each.path for each in artifacts] == ["details.json", "figures", "lineage.json"]
