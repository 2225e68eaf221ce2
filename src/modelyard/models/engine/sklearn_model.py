"""Scikit-learn models: how they are fitted, saved without pickle and loaded, and how they predict."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard import metrics
from modelyard.core.config import Settings
from modelyard.core.errors import ModelyardError
from modelyard.core.files import write_table
from modelyard.data.inputs import InputDescription, TrainingInput, load_description, save_description
from modelyard.data.samples import Samples, Task
from modelyard.models.engine.base import ArraySpec, Layer, TrainingContext
from modelyard.models.engine.serialization import make_stable
from modelyard.models.engine.tasks import estimator_predictions
from modelyard.models.engine.training_settings import EstimatorTraining

if TYPE_CHECKING:
    import pandas as pd

FILE = "model.skops"
# Nodes of a tree point at each other unchecked, so a forged file could crash the process (it cannot run code).
TRUSTED = ["sklearn.tree._tree.Tree"]
COEFFICIENTS = "coefficients.csv"


class SklearnModel:
    """A fitted scikit-learn pipeline of raw samples: the scaling, then the estimator."""

    mlflow_flavor = "sklearn"
    mlflow_options: Mapping[str, Any] = MappingProxyType({"skops_trusted_types": TRUSTED})
    pip_packages = ("scikit-learn", "skops")
    submodels: Mapping[str, Any] = MappingProxyType({})

    def __init__(self, native: Any, description: InputDescription) -> None:
        self.native = native
        self.description = description

    @property
    def input_spec(self) -> ArraySpec:
        """Input of the native pipeline."""
        return ArraySpec("float64", (None, int(np.prod(self.description.shape))))

    @property
    def output_spec(self) -> ArraySpec:
        """What the native pipeline predicts: values, or class numbers."""
        return ArraySpec(estimator_predictions(self.description.task).dtype, (None,))

    @property
    def layers(self) -> list[Layer]:
        """The steps of the pipeline; the parameters of a linear model are its coefficients."""
        count = int(np.size(getattr(self.native["model"], "coef_", ())))
        names, kinds = zip(*((name, type(step).__name__) for name, step in self.native.steps), strict=True)
        width = int(np.prod(self.description.shape))
        return [
            Layer(names[0], kinds[0], (width,), 0),
            Layer(names[1], kinds[1], (len(self.description.classes) or 1,), count),
        ]

    def first_convolution(self, image: np.ndarray) -> None:
        """Return None: no estimator has convolutions."""

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Predict probabilities (n, classes) or values (n,) of raw samples (n, ...)."""
        method = estimator_predictions(self.description.task).method
        predictions: np.ndarray = getattr(self.native, method)(_flat(x))
        return predictions

    def save(self, folder: Path) -> None:
        """Write `model.skops`, and the coefficient table of a linear regression."""
        import skops.io

        skops.io.dump(self.native, folder / FILE)
        make_stable(folder / FILE)
        save_description(self.description, folder)
        if self.is_linear_regression:
            write_table(folder / COEFFICIENTS, self.coefficients())

    @property
    def is_linear_regression(self) -> bool:
        """Whether the estimator has one coefficient per feature; a classifier has one per class as well."""
        return np.ndim(getattr(self.native["model"], "coef_", 0.0)) == 1

    def coefficients(self) -> "pd.DataFrame":
        """Return the coefficient table of a linear regression.

        Columns: feature, coefficient (change of the target for one raw unit of the feature).
        The first row is the intercept: the prediction where every feature is 0.
        """
        import pandas as pd

        scaling, model = self.native["scaling"], self.native["model"]
        slopes = model.coef_ / scaling.scale_
        intercept = float(model.intercept_ - slopes @ scaling.mean_)
        features = self.description.features or [f"feature {number}" for number in range(1, len(slopes) + 1)]
        return pd.DataFrame({"feature": ["intercept", *features], "coefficient": [intercept, *slopes]})


def load(folder: Path) -> SklearnModel:
    """Load a saved model.

    Raises:
        ModelyardError: It holds a type that is neither in TRUSTED nor known to skops as safe.
    """
    import skops.io
    import skops.io.exceptions

    path = folder / FILE
    try:
        return SklearnModel(skops.io.load(path, trusted=TRUSTED), load_description(folder))
    except skops.io.exceptions.UntrustedTypesFoundException as error:
        raise ModelyardError(f"{path} was not loaded: no model of this project has its types: {error}") from None


def fit(
    family: ModuleType, settings: Settings, training: EstimatorTraining, data: TrainingInput, context: TrainingContext
) -> tuple[SklearnModel, "pd.DataFrame"]:
    """Build and fit an estimator (see `models.fit`); the history of an ensemble has a row for each stage."""
    import pandas as pd
    from sklearn.pipeline import Pipeline

    description = data.description
    estimator = family.build(description.task, settings, training.seed)
    pipeline = Pipeline([("scaling", _scaling_step(description)), ("model", estimator)])
    scaled = pipeline["scaling"].transform(_flat(data.training.x))
    estimator.fit(scaled, data.training.y)
    history = pd.DataFrame(_history(estimator, pipeline["scaling"], data))
    for row in history.to_dict("records"):
        context.report({str(name): value for name, value in row.items()})
    return SklearnModel(pipeline, description), history


def _scaling_step(description: InputDescription) -> Any:
    """The input's scaling as scikit-learn's own transformer, (x - mean_) / scale_: saved models need no code."""
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
    task = data.description.task
    stages = [_stages(estimator, scaling, samples, task, prefix) for prefix, samples in parts.items() if len(samples)]
    for number, stage in enumerate(zip(*stages, strict=True), start=1):
        yield {"epoch": number} | {name: value for part in stage for name, value in part.items()}


def _stages(estimator: Any, scaling: Any, samples: Samples, task: Task, prefix: str) -> Iterator[dict[str, float]]:
    """Loss and metric as in a network's history, after each stage of an ensemble or once."""
    method = estimator_predictions(task).method
    names = ("loss", *filter(None, [metrics.history_metric(task)]))
    scaled = scaling.transform(_flat(samples.x))
    staged = getattr(estimator, f"staged_{method}", lambda x: [getattr(estimator, method)(x)])
    for predictions in staged(scaled):
        columns = metrics.columns(task, samples.y, predictions)
        values = metrics.values(metrics.bound_metrics(task, columns))
        yield {prefix + name: values[name] for name in names}


def _flat(x: np.ndarray) -> np.ndarray:
    return np.asarray(x, dtype=np.float64).reshape(len(x), -1)
