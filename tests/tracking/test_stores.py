"""Several processes, one store: runs logged at once lose nothing, on a fresh SQLite store and on a real PostgreSQL."""

import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
from support.postgresql import postgresql, postgresql_server

__all__ = ["postgresql", "postgresql_server"]  # fixtures

NAMES = [f"experiment_{number}" for number in range(10)]
EPOCHS = 5

# What train and evaluate do, without a model; four processes share ten experiments and begin together.
AT_ONCE = """
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


def test_on_a_fresh_sqlite_store_nothing_is_lost(tmp_path: Path, environment: dict[str, str]) -> None:
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    log_at_once(tmp_path, environment)
    assert_that_all_is_there(store)


def test_on_a_fresh_postgresql_nothing_is_lost_and_artifacts_stay_in_the_project(
    postgresql: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    log_at_once(tmp_path, environment | {"MLFLOW_TRACKING_URI": postgresql})
    assert_that_all_is_there(postgresql)
    assert len(list((tmp_path / "mlartifacts").glob("*/artifacts/figures/a.png"))) == len(NAMES)
    assert not (tmp_path / "mlflow.db").exists()


def log_at_once(folder: Path, environment: dict[str, str]) -> None:
    (folder / "figures").mkdir()
    (folder / "figures" / "a.png").write_bytes(b"a picture")
    command = [sys.executable, "-c", AT_ONCE, ",".join(NAMES), str(EPOCHS), str(folder / "figures")]
    tracked = environment | {"MODELYARD_TRACKING": "on", "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL": "0.1"}
    done = subprocess.run(command, cwd=folder, env=tracked, check=True, capture_output=True, text=True, timeout=500)
    assert done.stdout == "[0, 0, 0, 0]\n"
    assert "warning: " not in done.stderr


def assert_that_all_is_there(store: str) -> None:
    client = mlflow.MlflowClient(store)
    experiment = client.get_experiment_by_name("modelyard")
    runs = client.search_runs([experiment.experiment_id])
    assert sorted(run.info.run_name for run in runs) == NAMES
    for run in runs:
        assert run.info.status == "FINISHED"
        assert run.data.metrics["test_mse"] == pytest.approx(4)
        history = client.get_metric_history(run.info.run_id, "loss")
        assert [(each.step, each.value) for each in history] == [(step, 1 / step) for step in range(1, EPOCHS + 1)]
        assert run.data.tags[f"out:results/{run.info.run_name}/model"] == "2" * 32
        artifacts = client.list_artifacts(run.info.run_id)
        assert [each.path for each in artifacts] == ["details.json", "figures", "lineage.json"]
