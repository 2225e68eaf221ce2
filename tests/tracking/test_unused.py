"""Artifacts of no run and no model, or of deleted ones; those that anything refers to are never among them."""

from pathlib import Path

import mlflow
import pytest
from support.mlflow_runs import log_training, runs_in

from modelyard.data.inputs import TrainingInput
from modelyard.models import EstimatorTraining
from modelyard.models.families import logistic
from modelyard.params.project import EstimatorExperiment
from modelyard.tracking import unused

LOGISTIC = EstimatorExperiment(
    input="made_up", model=logistic.Settings(family="logistic"), training=EstimatorTraining(seed=7)
)


def test_artifacts_of_deleted_and_unknown_runs_and_models_are_unused(
    project: Path, image_input: TrainingInput, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert unused.unused_artifacts() == []
    for _ in range(3):
        log_training(LOGISTIC, image_input, project)
    client, artifacts = mlflow.MlflowClient(), project / "mlartifacts"
    kept, registered, deleted = runs_in(project)
    for run in (kept, registered, deleted):
        client.log_text(run.info.run_id, "text", "note.txt")
    models = {run.info.run_id: run.outputs.model_outputs[0].model_id for run in (kept, registered, deleted)}
    client.create_registered_model("made_up")
    client.create_model_version("made_up", f"models:/{models[registered.info.run_id]}", registered.info.run_id)
    for name in (f"{'0' * 32}/artifacts", f"models/m-{'0' * 32}/artifacts", "traces/tr-1/artifacts", "mine"):
        (artifacts / name).mkdir(parents=True)
    strays = [artifacts / ("0" * 32), artifacts / f"models/m-{'0' * 32}"]
    assert unused.unused_artifacts() == strays
    for run in (registered, deleted):
        client.delete_run(run.info.run_id)
        client.delete_logged_model(models[run.info.run_id])
    gone = [artifacts / deleted.info.run_id, artifacts / "models" / models[deleted.info.run_id]]
    assert all(folder.is_dir() for folder in gone)
    assert unused.unused_artifacts() == sorted([*strays, *gone])
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://127.0.0.1:9/runs")
    assert unused.unused_artifacts() == [], "another store may have them"


def test_nothing_is_unused_where_the_database_cannot_be_read(project: Path) -> None:
    (project / "mlartifacts" / ("0" * 32)).mkdir(parents=True)
    assert unused.unused_artifacts() != []
    (project / "mlflow.db").write_bytes(b"no database" * 100)
    assert unused.unused_artifacts() == []
    (project / "mlflow.db").unlink()
    assert unused.unused_artifacts() == []
