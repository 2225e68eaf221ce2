"""A project folder that was moved or copied with its runs."""

import shutil
from pathlib import Path

import mlflow
import pytest
from support.mlflow_runs import runs_in, store_of

from modelyard import tracking
from modelyard.tracking.relocation import relocate_artifacts


def trained(project: Path) -> None:
    """Log a run with a file in this project."""
    with tracking.training_run("an_experiment"):
        mlflow.log_text("a text", "notes.txt")


@pytest.fixture
def copied(project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a project that has a run, as the current folder; the project is still where it was."""
    trained(project)
    copy = tmp_path_factory.mktemp("else where") / "copy 100%"
    shutil.copytree(project, copy)
    monkeypatch.chdir(copy)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")  # set by MLflow
    return copy


def text(run: mlflow.entities.Run) -> str:
    return mlflow.artifacts.load_text(f"{run.info.artifact_uri}/notes.txt")


def test_a_copied_project_writes_and_reads_its_own_artifacts(
    project: Path, copied: Path, capsys: pytest.CaptureFixture
) -> None:
    before = sorted(project.rglob("*"))
    trained(copied)
    assert sorted(project.rglob("*")) == before
    assert capsys.readouterr().err == (
        f"This folder was moved or copied from {project}: artifacts of new runs are written to "
        f"{copied / 'mlartifacts'}, and 1 addresses of earlier ones in mlflow.db now point there too.\n"
    )
    for run in runs_in(copied):
        assert run.info.artifact_uri.startswith((copied / "mlartifacts").as_uri())
        assert text(run) == "a text"
    (run,) = runs_in(project)
    assert run.info.artifact_uri.startswith((project / "mlartifacts").as_uri())


def test_a_moved_project_keeps_its_runs(project: Path, copied: Path) -> None:
    shutil.rmtree(project / "mlartifacts")
    (project / "mlartifacts").touch()  # no folder can be made there
    trained(copied)
    assert [(run.info.status, text(run)) for run in runs_in(copied)] == [("FINISHED", "a text")] * 2


def test_files_that_were_not_copied_are_read_where_they_are(
    project: Path, copied: Path, capsys: pytest.CaptureFixture
) -> None:
    shutil.rmtree(copied / "mlartifacts")
    trained(copied)
    new, old = runs_in(copied)
    assert new.info.artifact_uri.startswith(copied.parent.as_uri())
    assert old.info.artifact_uri.startswith(project.as_uri())
    assert (text(new), text(old)) == ("a text", "a text")
    assert (
        f"1 addresses still point to {project / 'mlartifacts'}: their files were not copied" in capsys.readouterr().err
    )


def test_other_stores_are_left_alone(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    artifacts = project / "mlartifacts"
    assert relocate_artifacts(project / "none.db", artifacts, "modelyard") == []
    assert relocate_artifacts(project / "mlflow.db", artifacts, "modelyard") == []
    client = mlflow.MlflowClient(store_of(project))
    for name, place in (
        ("on a server", "mlflow-artifacts:/1"),
        ("own", "file:///mnt/runs"),
        ("s3", "s3://mlartifacts"),
    ):
        client.create_experiment(name, artifact_location=place)
        assert relocate_artifacts(project / "mlflow.db", artifacts, name) == []
        assert client.get_experiment_by_name(name).artifact_location == place
    link = tmp_path_factory.mktemp("linked") / "mlflow.db"
    link.symlink_to(project / "mlflow.db")
    trained(project)
    assert relocate_artifacts(link, link.parent / "mlartifacts", "modelyard") == []
    (project / "empty.db").touch()
    assert relocate_artifacts(project / "empty.db", artifacts, "modelyard") == []
