"""The scikit-learn kind: how an estimator is fitted, asked and saved, without pickle."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard import metrics
from modelyard.config import Settings
from modelyard.datasets import Rows
from modelyard.files import read_archive, rewrite_archive
from modelyard.inputs import Description, TrainingInput, load_description, save_description
from modelyard.models.settings import EstimatorTraining, Runtime

if TYPE_CHECKING:
    import pandas as pd

FILE = "model.skops"


class Estimator:
    """A fitted scikit-learn pipeline that takes raw rows: scaling, then the estimator."""

    flavour = "sklearn"  # of MLflow
    packages = ("scikit-learn", "skops")

    def __init__(self, native: Any, description: Description) -> None:
        self.native = native
        self.description = description

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Probabilities (n, classes) or values (n,) for raw rows (n, ...)."""
        ask = self.native.predict if self.description.task == "regression" else self.native.predict_proba
        return ask(_flat(rows))

    def save(self, folder: Path) -> None:
        """Write `model.skops`, with addresses of this process's memory replaced by plain numbers."""
        import skops.io

        path = folder / FILE
        skops.io.dump(self.native, path)
        rewrite_archive(path, _without_addresses(read_archive(path)))
        save_description(self.description, folder)


def load(folder: Path) -> Estimator:
    """Load a saved estimator; skops refuses types that are not scikit-learn's or NumPy's own."""
    import skops.io

    return Estimator(skops.io.load(folder / FILE), load_description(folder))


def fit(
    build: Callable[..., Any],
    settings: Settings,
    training: EstimatorTraining,
    data: TrainingInput,
    folder: Path,
    runtime: Runtime,
    report: Callable[[dict[str, float]], None],
) -> tuple[Estimator, "pd.DataFrame"]:
    """Build and fit an estimator (see `models.fit`); its history has a row for each stage of an ensemble."""
    import pandas as pd
    from sklearn.pipeline import Pipeline

    description = data.description
    estimator = build(description.task, settings, training.seed)
    pipeline = Pipeline([("scaling", _scaling_step(description)), ("model", estimator)])
    scaled = pipeline["scaling"].transform(_flat(data.training.x))
    estimator.fit(scaled, data.training.y)
    history = pd.DataFrame(_history(estimator, pipeline["scaling"], data))
    report(history.iloc[-1].to_dict())
    return Estimator(pipeline, description), history


def _scaling_step(description: Description) -> Any:
    """The input's scaling as scikit-learn's own transformer, which computes (x - mean_) / scale_."""
    from sklearn.preprocessing import StandardScaler

    count = int(np.prod(description.shape))
    step = StandardScaler()
    step.mean_ = np.broadcast_to(description.scaler.offset, count).astype(np.float64)
    step.scale_ = np.broadcast_to(description.scaler.scale, count).astype(np.float64)
    step.var_ = step.scale_**2
    step.n_features_in_ = count
    return step


def _history(estimator: Any, scaling: Any, data: TrainingInput) -> Iterator[dict[str, float]]:
    parts = {"": data.training, "val_": data.validation}
    stages = [_stages(estimator, scaling, rows, prefix) for prefix, rows in parts.items() if len(rows)]
    for number, figures in enumerate(zip(*stages, strict=True), start=1):
        yield {"epoch": number} | {name: value for part in figures for name, value in part.items()}


def _stages(estimator: Any, scaling: Any, rows: Rows, prefix: str) -> Iterator[dict[str, float]]:
    """The figures that a network's history would have, after each stage of an ensemble or once."""
    task = "classification" if hasattr(estimator, "predict_proba") else "regression"
    ask = "predict_proba" if task == "classification" else "predict"
    scaled = scaling.transform(_flat(rows.x))
    staged = getattr(estimator, f"staged_{ask}", lambda x: [getattr(estimator, ask)(x)])
    for predictions in staged(scaled):
        figures = metrics.figures(task, metrics.columns(task, rows.y, predictions))
        yield {prefix + name: figures[name] for name in ("loss", metrics.WATCHED[task])}


def _flat(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows, dtype=np.float64).reshape(len(rows), -1)


def _without_addresses(content: dict[str, bytes]) -> dict[str, bytes]:
    """Number skops's object ids, which are memory addresses, in the order of their appearance."""
    schema = json.loads(content["schema.json"])
    numbers: dict[str, str] = {}
    _renumber(schema, numbers)
    renamed = {_renamed(name, numbers): value for name, value in content.items() if name != "schema.json"}
    return renamed | {"schema.json": json.dumps(schema, indent=2).encode()}


def _renumber(node: Any, numbers: dict[str, str]) -> None:
    if isinstance(node, list):
        for item in node:
            _renumber(item, numbers)
    elif isinstance(node, dict):
        if "__id__" in node:
            node["__id__"] = int(numbers.setdefault(str(node["__id__"]), str(len(numbers))))
        for item in node.values():
            _renumber(item, numbers)
        if isinstance(node.get("file"), str):
            node["file"] = _renamed(node["file"], numbers)


def _renamed(file: str, numbers: dict[str, str]) -> str:
    stem, dot, ending = file.partition(".")
    return numbers.get(stem, stem) + dot + ending
