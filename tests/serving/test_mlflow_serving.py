"""`mlflow models serve` on models that trainings logged: requests over loopback with raw rows."""

import json
import os
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import mlflow
import numpy as np
import pytest
from support.batches import join
from support.houses import experiment_of, house_input, houses
from support.mlflow_runs import forget_mlflow, log_training, store_of
from support.servers import served
from support.waiting import wait_until

from modelyard import models
from modelyard.data.inputs import TrainingInput
from modelyard.models import EstimatorTraining, NetworkTraining
from modelyard.models.families import cnn, linear
from modelyard.params.project import AnyExperiment, EstimatorExperiment, NetworkExperiment
from modelyard.serving import predict

pytestmark = pytest.mark.slow

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

    def ask(self, rows: object, form: str = "inputs") -> list:
        """What it answers to raw rows."""
        return self.post(json.dumps({form: rows}).encode(), "application/json")

    def post(self, body: bytes, content_type: str) -> list:
        """What it answers to a request."""
        headers = {"Content-Type": content_type}
        request = urllib.request.Request(f"{self.address}/invocations", body, headers)  # noqa: S310
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
            return json.load(response)["predictions"]


@contextmanager
def champion_served(experiment: AnyExperiment, data: TrainingInput, root: Path) -> Iterator[Server]:
    """Train with tracking on, register what was logged as champion, and serve it with the command of the README."""
    store = store_of(root)
    log_training(experiment, data, root)
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


@pytest.mark.parametrize("family", ["mlp", "histogram_boosting"])
def test_a_served_model_of_tables_takes_the_named_columns_in_any_order(family: str, root: Path) -> None:
    data, rows = house_input(root, "price"), houses().head(30)
    shuffled = rows[["sold", "price", "town", "garden", "rooms", "heating", "area"]]
    with champion_served(experiment_of(family), data, root) as server:
        model = models.load(server.folder)
        expected = model.predict(join(predict.read([root / "houses.csv"], model.description)).x)[:30]

        def check(form: str) -> None:
            answer = server.ask(json.loads(shuffled.to_json(orient=form)), f"dataframe_{form}")
            np.testing.assert_allclose([row["prediction"] for row in answer], expected, rtol=1e-5)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(check, ["records", "split"] * 4))
        as_csv = server.post(shuffled.to_csv(index=False).encode(), "text/csv")
        np.testing.assert_allclose([row["prediction"] for row in as_csv], expected, rtol=1e-5)
        unknown = json.loads(rows.assign(town="Mainz").to_json(orient="records"))
        assert len(server.ask(unknown, "dataframe_records")) == 30
        log = "categories of 'town' that training did not see: Mainz (30 row(s))"
        wait_until(lambda: log in (root / "server.log").read_text(), seconds=30)
        for name in ("rooms", "town"):
            with pytest.raises(urllib.error.HTTPError) as refused:
                server.ask(json.loads(rows.drop(columns=name).to_json(orient="records")), "dataframe_records")
            assert refused.value.code == 400
            assert name in json.load(refused.value)["message"].partition("Error:")[2]
