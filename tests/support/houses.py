"""A table of houses with numbers, text, dates and gaps, and experiments on it."""

from pathlib import Path

import numpy as np
import pandas as pd

from modelyard.core.files import sha256
from modelyard.data.decision_threshold import ErrorCosts
from modelyard.data.inputs import InputSettings, TrainingInput, prepare
from modelyard.data.readers import table
from modelyard.data.sources import Source
from modelyard.data.splits import Split
from modelyard.models import EstimatorTraining, NetworkTraining
from modelyard.models.families import histogram_boosting, linear, logistic, mlp
from modelyard.params.project import AnyExperiment, EstimatorExperiment, NetworkExperiment

FEATURES = ["area", "rooms", "town", "sold", "garden", "heating"]
MODELS = {
    "mlp": mlp.Settings(family="mlp", units=(5,)),
    "linear": linear.Settings(family="linear"),
    "histogram_boosting": histogram_boosting.Settings(family="histogram_boosting", max_iter=5),
    "logistic": logistic.Settings(family="logistic"),
    "logistic with a threshold": logistic.Settings(family="logistic"),
}
COSTS = ErrorCosts(false_positive=30, false_negative=1)


def houses() -> pd.DataFrame:
    """120 houses; `area`, `town`, `sold` and `heating` have gaps."""
    random, count = np.random.default_rng(0), 120
    days = pd.to_datetime("2019-03-01") + pd.to_timedelta(random.integers(0, 900, count), "D")
    frame = pd.DataFrame(
        {
            "area": random.normal(100, 20, count).round(1),
            "rooms": random.integers(1, 6, count),
            "town": random.choice(["Bonn", "Köln", "Ulm"], count),
            "sold": days.strftime("%d.%m.%Y"),
            "garden": random.choice([True, False], count),
            "heating": random.choice(["1", "2", "12"], count),
        }
    )
    frame["price"] = 3 * frame.area + 20 * frame.rooms + 50 * (frame.town == "Ulm") + 10 * frame.garden
    frame["size"] = np.where(frame.area > 100, "large", "small")
    for row, name in enumerate(["area", "town", "sold", "heating"]):
        frame.loc[row::20, name] = None
    return frame


def house_input(folder: Path, target: str) -> TrainingInput:
    """The prepared input, to predict `price` or `size`."""
    other = {"price": "size", "size": "price"}[target]
    houses().to_csv(folder / "houses.csv", index=False)
    dataset = table.TableDataset(
        reader="table",
        task="regression" if target == "price" else "classification",
        description="Made up.",
        target=target,
        columns={"sold": table.DateColumn(kind="date", format="%d.%m.%Y"), "heating": "category", other: "drop"},
        files={"houses.csv": Source(path="houses.csv", sha256=sha256(folder / "houses.csv"))},
    )
    settings = InputSettings(
        dataset="houses",
        split=Split(test=0.2, test_seed=1, validation=0.1),
        scaling="standard",
        imputation={"area": "median", "town": "keep", "sold": "median", "heating": "most_frequent"},
        target_scaling="standard" if target == "price" else "none",
    )
    data, _ = prepare(table.read(folder, dataset), dataset.task, settings)
    return data


def experiment_of(family: str) -> AnyExperiment:
    """An experiment that trains a family on the houses."""
    if family == "mlp":
        training = NetworkTraining(seed=1, epochs=2, loss="mse")
        return NetworkExperiment(input="houses", model=MODELS[family], training=training)
    training = EstimatorTraining(seed=1, threshold=COSTS if "threshold" in family else None)
    return EstimatorExperiment(input="houses", model=MODELS[family], training=training)
