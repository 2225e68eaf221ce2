"""Logged models of tables: named columns with text, dates and gaps give what `modelyard predict` gives."""

import logging
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowException
from support.batches import join
from support.houses import FEATURES, experiment_of, house_input, houses
from support.mlflow_runs import forget_mlflow, log_training

from modelyard import models
from modelyard.models import Model
from modelyard.serving import predict

ROWS = houses().head(40)


@dataclass
class Logged:
    """A trained model: our folder, and the one that MLflow loads and serves."""

    root: Path

    @property
    def model(self) -> Model:
        return models.load(self.root / "model")

    @property
    def folder(self) -> Path:
        (folder,) = self.root.glob("mlartifacts/models/*/artifacts")
        return folder

    @cached_property
    def loaded(self) -> mlflow.pyfunc.PyFuncModel:
        return mlflow.pyfunc.load_model(str(self.folder))


_LOGGED: dict[str, Logged] = {}  # training and logging takes seconds: each family is logged once for all tests


@pytest.fixture
def logged(request: pytest.FixtureRequest, empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Logged:
    family = getattr(request, "param", "linear")
    if family not in _LOGGED:
        root = tmp_path_factory.mktemp(family)
        shutil.copy(empty_store, root / "mlflow.db")
        log_training(experiment_of(family), house_input(root, "size" if "logistic" in family else "price"), root)
        forget_mlflow()
        _LOGGED[family] = Logged(root)
    return _LOGGED[family]


def as_typed(frame: pd.DataFrame) -> pd.DataFrame:
    """The columns with the types of the signature."""
    return frame.astype({"rooms": float, "garden": float})


def read_files(frame: pd.DataFrame, model: Model, folder: Path) -> list[pd.DataFrame]:
    """What `modelyard predict` makes of a table, as CSV, Parquet and Feather."""
    frame.to_csv(folder / "rows.csv", index=False)
    frame.to_parquet(folder / "rows.parquet")
    frame.to_feather(folder / "rows.feather")
    batches = [join(predict.read([folder / f"rows.{end}"], model.description)) for end in ("csv", "parquet", "feather")]
    assert [batch.errors for batch in batches] == [(), (), ()]
    return [predict.prediction_table(batch, model.predict(batch.x), model.description) for batch in batches]


@pytest.mark.parametrize("logged", ["linear", "mlp", "histogram_boosting"], indirect=True)
def test_predict_and_the_logged_model_agree_in_any_order_of_columns(logged: Logged, tmp_path: Path) -> None:
    training = join(predict.read([logged.root / "houses.csv"], logged.model.description))
    expected = logged.model.predict(training.x)[:40]
    assert np.ptp(expected) > 1
    shuffled = ROWS[["sold", "price", "town", "garden", "rooms", "heating", "area"]]
    for table in read_files(shuffled, logged.model, tmp_path):
        np.testing.assert_allclose(table.prediction, expected, rtol=1e-5)
    answer = logged.loaded.predict(as_typed(shuffled))
    assert list(answer) == ["prediction"]
    np.testing.assert_allclose(answer.prediction, expected, rtol=1e-5)


@pytest.mark.parametrize("logged", ["logistic"], indirect=True)
def test_a_classifier_gives_the_class_before_the_probability_of_each(logged: Logged, tmp_path: Path) -> None:
    answer = logged.loaded.predict(as_typed(ROWS).set_index(np.arange(40) + 7))
    assert (
        list(answer)
        == ["prediction", "probability_large", "probability_small"]
        == [column.name for column in logged.loaded.metadata.get_output_schema().inputs]
    )
    for table in read_files(ROWS, logged.model, tmp_path):
        assert table["class"].tolist() == answer.prediction.tolist()
        np.testing.assert_allclose(table.probability, answer.iloc[:, 1:].max(axis=1), rtol=1e-5)
    assert set(answer.prediction) == {"large", "small"}
    assert answer.index.tolist() == list(range(7, 47))


@pytest.mark.parametrize("logged", ["logistic with a threshold"], indirect=True)
def test_the_logged_model_decides_by_the_threshold_as_predict_does(logged: Logged, tmp_path: Path) -> None:
    answer = logged.loaded.predict(as_typed(ROWS))
    threshold = logged.model.description.threshold.value
    assert answer.probability_small.between(*sorted([threshold, 0.5])).any()  # so that it makes a difference
    expected = np.where(answer.probability_small >= threshold, "small", "large").tolist()
    assert answer.prediction.tolist() == expected
    for table in read_files(ROWS, logged.model, tmp_path):
        assert table["class"].tolist() == expected


def test_the_signature_has_names_and_types_and_what_may_be_empty(logged: Logged) -> None:
    columns = logged.loaded.metadata.get_input_schema().inputs
    assert [(column.name, column.type.name, column.required) for column in columns] == [
        ("area", "double", False),
        ("rooms", "double", True),
        ("town", "string", False),
        ("sold", "string", False),
        ("garden", "double", True),
        ("heating", "string", False),
    ]


def test_categories_that_training_never_saw_are_a_warning_in_the_log(
    logged: Logged, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    logged.loaded.predict(as_typed(ROWS.assign(town="Mainz")))
    assert "categories of 'town' that training did not see: Mainz (40 row(s))" in caplog.text


@pytest.mark.parametrize("name", FEATURES)
def test_a_missing_column_is_an_error_that_names_it(name: str, logged: Logged) -> None:
    with pytest.raises(MlflowException, match=name):
        logged.loaded.predict(as_typed(ROWS).drop(columns=name))


@pytest.mark.parametrize(
    "changed, error",
    [
        ({"rooms": np.nan}, "40 row(s) cannot be predicted: row 1: no value in column 'rooms'; row 2: "),
        ({"garden": None}, "row 1: no value in column 'garden'"),
        ({"sold": "2019-03-01"}, "row 1: '2019-03-01' in column 'sold' is no date such as 31.01.2024"),
        ({"heating": ["1", 2] * 20}, "column 'heating' has values of different types, such as numbers and text"),
    ],
)
def test_a_value_that_a_column_cannot_have_is_an_error(changed: dict[str, object], error: str, logged: Logged) -> None:
    with pytest.raises(MlflowException) as raised:
        logged.loaded.predict(as_typed(ROWS.assign(**changed)))
    assert error in str(raised.value)


def test_a_single_row_of_gaps_can_be_predicted(logged: Logged) -> None:
    gaps = {"area": np.nan, "town": None, "sold": None, "heating": None}
    assert np.isfinite(logged.loaded.predict(as_typed(ROWS.head(1).assign(**gaps))).prediction).all()


ELSEWHERE = """
import sys
for name in ("dvc", "optuna", "pooch", "typer", "tenacity", "statsmodels", "platformdirs", "plotly"):
    sys.modules[name] = None  # as if it were not installed
import mlflow, pandas
loaded = mlflow.pyfunc.load_model(sys.argv[1])
loaded.predict(pandas.read_csv("houses.csv").astype({"rooms": float, "garden": float, "heating": object}))
print(sys.modules["modelyard"].__file__)
"""


@pytest.mark.parametrize("logged", ["linear", pytest.param("mlp", marks=pytest.mark.slow)], indirect=True)
def test_a_server_needs_no_more_than_the_requirements(
    logged: Logged, environment: dict[str, str], tmp_path: Path
) -> None:
    folder = shutil.copytree(logged.folder, tmp_path / "copied")
    houses().to_csv(tmp_path / "houses.csv", index=False)
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(folder)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == str(folder / "artifacts" / "modelyard.zip" / "modelyard" / "__init__.py")
    assert "modelyard" not in (folder / "requirements.txt").read_text()
    assert not list(folder.rglob("*.pkl"))
