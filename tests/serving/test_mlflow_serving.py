"""`mlflow models serve` on models that trainings logged: requests over loopback with raw rows."""

import json
import os
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import mlflow
import numpy as np
import pytest
from support.servers import served

from modelyard import models, tracking
from modelyard.data.inputs import TrainingInput, save_training
from modelyard.experiments import train
from modelyard.models import EstimatorTraining, NetworkTraining, Runtime
from modelyard.models.families import cnn, linear
from modelyard.params.project import EstimatorExperiment, NetworkExperiment

pytestmark = pytest.mark.slow

HEADERS = {"Content-Type": "application/json"}
CNN = NetworkExperiment(
    input="made_up",
    model=cnn.Settings(family="cnn", filters=(3,), units=(4,)),
    training=NetworkTraining(seed=7, epochs=2, loss="sparse_categorical_crossentropy"),
)
LINEAR = EstimatorExperiment(
    input="made_up", model=linear.Settings(family="linear"), training=EstimatorTraining(seed=7)
)


@dataclass(frozen=True)
class Server:
    """A model that is served, and the folder that its training wrote."""

    address: str
    folder: Path

    def ask(self, rows: object) -> list:
        """What it answers to raw rows."""
        body = json.dumps({"inputs": rows}).encode()
        request = urllib.request.Request(f"{self.address}/invocations", body, HEADERS)  # noqa: S310
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
            return json.load(response)["predictions"]


@contextmanager
def champion_served(experiment: object, data: TrainingInput, root: Path) -> Iterator[Server]:
    """Train with tracking on, register what was logged as champion, and serve it with the command of the README."""
    store = f"sqlite:///{root / 'mlflow.db'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(root))
        patch.setenv("MODELYARD_TRACKING", "on")
        save_training(data, root / "rows")
        with tracking.training_run("an_experiment") as run:
            train.train(experiment, Runtime(), root / "rows", root / "model", root / "history.csv", run)
        register_as_champion(store)
        forget_mlflow()
    command = ["models", "serve", "-m", "models:/made_up@champion", "--env-manager", "local", "--host", "127.0.0.1"]
    surroundings = os.environ | {"MLFLOW_TRACKING_URI": store, "MLFLOW_DISABLE_TELEMETRY": "true"}
    with served([sys.executable, "-m", "mlflow", *command], root, surroundings, health="/ping") as address:
        yield Server(address, root / "model")


def register_as_champion(store: str) -> None:
    client = mlflow.MlflowClient(store)
    (run,) = client.search_runs([client.get_experiment_by_name("modelyard").experiment_id])
    client.create_registered_model("made_up")
    version = client.create_model_version("made_up", run.data.tags["model_uri"], run.info.run_id)
    client.set_registered_model_alias("made_up", "champion", version.version)


def forget_mlflow() -> None:
    """Leave MLflow as if freshly imported."""
    mlflow.set_tracking_uri(None)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_ID", "MLFLOW_RUN_ID"):
        os.environ.pop(name, None)


@pytest.fixture
def root(tmp_path: Path, empty_store: Path) -> Path:
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    return tmp_path


def test_a_served_network_takes_raw_pixels(image_input: TrainingInput, root: Path) -> None:
    rows = np.asarray(image_input.samples.x[:5])
    with champion_served(CNN, image_input, root) as server:
        expected = models.load(server.folder).predict(rows)
        assert np.ptp(expected) > 0.01
        np.testing.assert_allclose(server.ask(rows.tolist()), expected, atol=1e-5)
        with pytest.raises(urllib.error.HTTPError) as refused:
            server.ask(rows[:, :4].tolist())
        assert refused.value.code == 400
        assert "(-1, 8, 8, 1)" in refused.value.read().decode()
        np.testing.assert_allclose(server.ask(rows[:1].tolist()), expected[:1], atol=1e-5)


def test_a_served_estimator_takes_raw_features(regression_input: TrainingInput, root: Path) -> None:
    rows = regression_input.samples.x[:5]
    with champion_served(LINEAR, regression_input, root) as server:
        np.testing.assert_allclose(server.ask(rows.tolist()), models.load(server.folder).predict(rows), atol=1e-5)
