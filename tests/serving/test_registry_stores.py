"""The registry where a team keeps it: a real PostgreSQL, and a real MLflow server with and without passwords.

What a person does is done by the commands: promote, predict from another folder, roll back.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from support.built_experiments import PARAMS, build_experiment, fit_model, line_samples
from support.commands import modelyard
from support.servers import ASKED_FOR, PASSWORD, mlflow_server, served

pytestmark = pytest.mark.slow

TABLE = pd.DataFrame(line_samples(5).x, columns=["a", "b", "c"])
FEATURES = tuple(TABLE)
MEAN, FIT = (fit_model(family, line_samples(100), features=FEATURES) for family in ("baseline", "linear"))


@pytest.fixture
def project(tracked_project: Path) -> Path:
    """Two experiments, built, whose runs and models go to no store of the project's own."""
    (tracked_project / "mlflow.db").unlink()
    (tracked_project / "params.yaml").write_text(PARAMS)
    for name, model in (("mean", MEAN), ("fit", FIT)):
        build_experiment(name, model, line_samples(50, seed=1), "line", tracked_project)
    return tracked_project


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another folder, which knows no more than a table of points and the store's address."""
    folder = tmp_path_factory.mktemp("elsewhere")
    TABLE.to_csv(folder / "points.csv", index=False)
    return folder


@pytest.fixture
def server(empty_store: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator:
    """A server's address and its folder; the parameter is its further options."""
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(empty_store, folder / "mlflow.db")
    command = mlflow_server(f"sqlite:///{folder / 'mlflow.db'}", folder / "artifacts", *request.param)
    with served(command, folder, os.environ | ASKED_FOR) as address:
        yield address, folder


def test_in_postgresql_a_model_is_promoted_used_and_rolled_back(
    postgresql: str, project: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", postgresql)
    promote_predict_and_roll_back(elsewhere, monkeypatch)
    assert files_of_models(project / "mlartifacts")
    assert not (project / "mlflow.db").exists()


PLAIN, WITH_PASSWORDS = (), ("--app-name", "basic-auth")


@pytest.mark.parametrize("server", [PLAIN, WITH_PASSWORDS], ids=["plain", "with passwords"], indirect=True)
def test_through_a_server_a_model_is_promoted_used_and_rolled_back(
    server: tuple[str, Path], project: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, folder = server
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
    promote_predict_and_roll_back(elsewhere, monkeypatch)
    assert files_of_models(folder / "artifacts")
    assert not [name for name in ("mlflow.db", "mlartifacts") if (project / name).exists()]


@pytest.mark.parametrize("server", [WITH_PASSWORDS], ids=["with passwords"], indirect=True)
def test_a_wrong_password_is_an_error_without_the_password(
    server: tuple[str, Path], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = server[0].replace("://", "://admin:a-guess@")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    refused = modelyard("promote", "fit")
    assert refused.exit_code == 1
    assert "error: the tracking store http://...@127.0.0.1:" in refused.output
    assert "a-guess" not in refused.output


def promote_predict_and_roll_back(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promote where the models are built, predict from another folder, roll back."""
    said, before, without_contract = modelyard("promote", "mean").output.splitlines()
    assert (said, before) == ("line@champion is version 1 (mean).", "There was no champion before it.")
    assert without_contract.startswith("Without an input contract, ")
    better = modelyard("promote", "fit").output
    assert "line@champion is version 2 (fit)." in better
    assert "significantly better (95 % paired bootstrap)" in better
    assert "line@challenger is version 3 (mean)." in modelyard("promote", "mean").output

    monkeypatch.chdir(elsewhere)
    np.testing.assert_allclose(predicted("line@champion"), FIT.predict(TABLE.to_numpy()), rtol=1e-6)
    np.testing.assert_allclose(predicted("line@challenger"), MEAN.predict(TABLE.to_numpy()), rtol=1e-6)
    served = mlflow.pyfunc.load_model("models:/line@champion")
    np.testing.assert_allclose(served.predict(TABLE).prediction, FIT.predict(TABLE.to_numpy()), atol=1e-5)

    back = modelyard("rollback", "line")
    assert back.output == "line@champion is version 1 (mean) again; it replaces version 2 (fit).\n"
    np.testing.assert_allclose(predicted("line@champion"), MEAN.predict(TABLE.to_numpy()), rtol=1e-6)


def predicted(name: str) -> np.ndarray:
    """The predictions of a registered model for the table."""
    asked = modelyard("predict", name, "points.csv", "-o", "answers.csv")
    assert asked.exit_code == 0, asked.output
    return pd.read_csv("answers.csv").prediction.to_numpy()


def files_of_models(folder: Path) -> list[Path]:
    """The models of our own kind below a folder of artifacts."""
    return list(folder.rglob("model_folder/model.skops"))
