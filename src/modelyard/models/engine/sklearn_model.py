"""The scikit-learn kind: how an estimator is fitted, asked and saved, without pickle."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from modelyard import metrics
from modelyard.core.config import Settings
from modelyard.core.errors import ModelyardError
from modelyard.core.files import write_table
from modelyard.data.inputs import InputDescription, TrainingInput, load_description, save_description
from modelyard.data.samples import Samples
from modelyard.models.engine.base import Layer, TrainingContext
from modelyard.models.engine.serialization import make_stable
from modelyard.models.engine.training_settings import EstimatorTraining

if TYPE_CHECKING:
    import pandas as pd

FILE = "model.skops"
# Nodes of a tree point at each other unchecked, so a forged file could crash the process (it cannot run code).
TRUSTED = ["sklearn.tree._tree.Tree"]
COEFFICIENTS = "coefficients.csv"


class Estimator:
    """A fitted scikit-learn pipeline that takes raw rows: scaling, then the estimator."""

    flavour = "sklearn"  # of MLflow
    packages = ("scikit-learn", "skops")
    options: ClassVar[dict] = {"skops_trusted_types": TRUSTED}

    def __init__(self, native: Any, description: InputDescription) -> None:
        self.native = native
        self.description = description
        self.parts: dict[str, Any] = {}

    @property
    def takes(self) -> tuple[str, tuple]:
        """The native pipeline's input: type and shape."""
        return "float64", (None, int(np.prod(self.description.shape)))

    @property
    def gives(self) -> tuple[str, tuple]:
        """What the native pipeline predicts: values, or the numbers of classes."""
        return "float64" if self.description.task == "regression" else "int64", (None,)

    @property
    def layers(self) -> list[Layer]:
        """The steps of the pipeline, the number of coefficients of a linear model with its own."""
        count = int(np.size(getattr(self.native["model"], "coef_", ())))
        names, kinds = zip(*((name, type(step).__name__) for name, step in self.native.steps), strict=True)
        width = int(np.prod(self.description.shape))
        return [
            Layer(names[0], kinds[0], (width,), 0),
            Layer(names[1], kinds[1], (len(self.description.classes) or 1,), count),
        ]

    def first_convolution(self, image: np.ndarray) -> None:
        """No estimator has one."""

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Probabilities (n, classes) or values (n,) for raw rows (n, ...)."""
        ask = self.native.predict if self.description.task == "regression" else self.native.predict_proba
        return ask(_flat(rows))

    def save(self, folder: Path) -> None:
        """Write `model.skops`, and the coefficient table of a linear regression."""
        import skops.io

        skops.io.dump(self.native, folder / FILE)
        make_stable(folder / FILE)
        save_description(self.description, folder)
        if hasattr(self.native["model"], "coef_") and self.description.task == "regression":
            write_table(folder / COEFFICIENTS, self.coefficients())

    def coefficients(self) -> "pd.DataFrame":
        """The coefficient table of a linear regression.

        Columns: feature, coefficient (change of the target for one raw unit of the feature).
        The first row is the intercept: the prediction where every feature is 0.
        """
        import pandas as pd

        scaling, model = self.native["scaling"], self.native["model"]
        slopes = model.coef_ / scaling.scale_
        intercept = float(model.intercept_ - slopes @ scaling.mean_)
        features = self.description.features or [f"feature {number}" for number in range(1, len(slopes) + 1)]
        return pd.DataFrame({"feature": ["intercept", *features], "coefficient": [intercept, *slopes]})


def load(folder: Path) -> Estimator:
    """Load a saved estimator; skops refuses every type but TRUSTED and those it knows to be harmless."""
    import skops.io
    import skops.io.exceptions

    path = folder / FILE
    try:
        return Estimator(skops.io.load(path, trusted=TRUSTED), load_description(folder))
    except skops.io.exceptions.UntrustedTypesFoundException as error:
        raise ModelyardError(f"{path} holds types that no model of ours has, and was not loaded: {error}") from None


def fit(
    family: ModuleType, settings: Settings, training: EstimatorTraining, data: TrainingInput, context: TrainingContext
) -> tuple[Estimator, "pd.DataFrame"]:
    """Build and fit an estimator (see `models.fit`); its history has a row for each stage of an ensemble."""
    import pandas as pd
    from sklearn.pipeline import Pipeline

    description = data.description
    estimator = family.build(description.task, settings, training.seed)
    pipeline = Pipeline([("scaling", _scaling_step(description)), ("model", estimator)])
    scaled = pipeline["scaling"].transform(_flat(data.training.x))
    estimator.fit(scaled, data.training.y)
    history = pd.DataFrame(_history(estimator, pipeline["scaling"], data))
    for row in history.to_dict("records"):
        context.report(row)
    return Estimator(pipeline, description), history


def _scaling_step(description: InputDescription) -> Any:
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


def _stages(estimator: Any, scaling: Any, rows: Samples, prefix: str) -> Iterator[dict[str, float]]:
    """The figures that a network's history would have, after each stage of an ensemble or once."""
    task = "classification" if hasattr(estimator, "predict_proba") else "regression"
    ask = "predict_proba" if task == "classification" else "predict"
    scaled = scaling.transform(_flat(rows.x))
    staged = getattr(estimator, f"staged_{ask}", lambda x: [getattr(estimator, ask)(x)])
    for predictions in staged(scaled):
        figures = metrics.values(metrics.bound_metrics(task, metrics.columns(task, rows.y, predictions)))
        yield {prefix + name: figures[name] for name in ("loss", metrics.history_metric(task))}


def _flat(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows, dtype=np.float64).reshape(len(rows), -1)
