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
from modelyard.data.samples import Samples
from modelyard.models.engine import sklearn_columns
from modelyard.models.engine.base import ArraySpec, Layer, TrainingContext
from modelyard.models.engine.class_weights import sample_weights
from modelyard.models.engine.serialization import make_stable
from modelyard.models.engine.tasks import estimator_predictions
from modelyard.models.engine.training_settings import EstimatorTraining

if TYPE_CHECKING:
    import pandas as pd

FILE = "model.skops"
# Types of saved models that skops does not know as safe; none lets a forged file run code.
TRUSTED = [
    # Trees are arrays of numbers. Their nodes point at each other unchecked, so a forged file could crash the process.
    "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    # Histogram boosting checks the columns beside its categories by a partial of check_array, which reads an array.
    # A partial of any other function is refused, because skops checks the function by itself.
    "functools.partial",
    "sklearn.utils.validation.check_array",
    # The type of the numbers that an encoder of categories writes.
    "numpy.dtype",
]
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
        estimator = _estimator(self.native)
        count = int(np.size(getattr(estimator, "coef_", ())))
        width = int(np.prod(self.description.shape))
        return [
            Layer("scaling", type(self.native["scaling"]).__name__, (width,), 0),
            Layer("model", type(estimator).__name__, (len(self.description.classes) or 1,), count),
        ]

    def first_convolution(self, image: np.ndarray) -> None:
        """Return None: no estimator has convolutions."""

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Predict probabilities (n, classes) or values (n,) of raw samples (n, ...)."""
        method = estimator_predictions(self.description.task).method
        return _of_all_classes(getattr(self.native, method)(_flat(x)), self.native, self.description)

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
        """Whether there is one coefficient per feature: a classifier has one per class, and a logarithm none."""
        scaler = self.description.target_scaler
        is_linear = scaler is None or scaler.method == "standard"
        return is_linear and np.ndim(getattr(_estimator(self.native), "coef_", 0.0)) == 1

    def coefficients(self) -> "pd.DataFrame":
        """Return the coefficient table of a linear regression.

        Columns: feature, coefficient (change of the target for one raw unit of the feature).
        The first row is the intercept: the prediction where every feature is 0.
        """
        import pandas as pd

        model, description, preprocessing = _estimator(self.native), self.description, self.description.preprocessing
        offset, scale = np.zeros(len(model.coef_)), np.ones(len(model.coef_))
        scaled = slice(len(preprocessing.numbers) if preprocessing else None)  # one-hot features are not scaled
        offset[scaled], scale[scaled] = description.scaler.offset, description.scaler.scale
        slopes, intercept = model.coef_ / scale, model.intercept_
        if description.target_scaler:
            targets = self.native["model"].transformer_
            slopes, intercept = slopes * targets.scale_[0], intercept * targets.scale_[0] + targets.mean_[0]
        intercept = float(intercept - slopes @ offset)
        features = description.features or [f"feature {number}" for number in range(1, len(slopes) + 1)]
        if preprocessing:
            features = preprocessing.encoded_names(description.features, description.columns)
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
    estimator = _of_scaled_targets(family.build(description, settings, training.seed), description)
    x = _flat(data.training.x)
    if description.preprocessing:
        one_hot = not getattr(family, "NATIVE_CATEGORIES", False)
        scaling = sklearn_columns.fit_transformer(description, description.preprocessing, x, one_hot)
    else:
        scaling = _scaling_step(description)
    pipeline = Pipeline([("scaling", scaling), ("model", estimator)])
    scaled = scaling.transform(x)
    weights = sample_weights(training, data)
    estimator.fit(scaled, data.training.y, **({} if weights is None else {"sample_weight": weights}))
    history = pd.DataFrame(_history(pipeline, data))
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


def _of_scaled_targets(estimator: Any, description: InputDescription) -> Any:
    """The estimator within scikit-learn's own scaling of targets; itself where they are not scaled."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    if description.target_scaler is None:
        return estimator
    transformers = {
        "standard": StandardScaler(),
        "log": make_pipeline(FunctionTransformer(np.log1p, np.expm1, check_inverse=False), StandardScaler()),
    }
    transformer = transformers[description.target_scaler.method]
    return TransformedTargetRegressor(estimator, transformer=transformer, check_inverse=False)


def _estimator(pipeline: Any) -> Any:
    """The fitted estimator itself, which a target scaling wraps."""
    model = pipeline["model"]
    return getattr(model, "regressor_", model)


def _history(pipeline: Any, data: TrainingInput) -> Iterator[dict[str, float]]:
    parts = {"": data.training, "val_": data.validation}
    stages = [_stages(pipeline, samples, data.description, prefix) for prefix, samples in parts.items() if len(samples)]
    for number, stage in enumerate(zip(*stages, strict=True), start=1):
        yield {"epoch": number} | {name: value for part in stage for name, value in part.items()}


def _stages(pipeline: Any, samples: Samples, description: InputDescription, prefix: str) -> Iterator[dict[str, float]]:
    """Loss and metric, both in the target's own unit, after each stage of an ensemble or once."""
    task, estimator = description.task, _estimator(pipeline)
    method = estimator_predictions(task).method
    names = ("loss", *filter(None, [metrics.history_metric(task)]))
    scaled = pipeline["scaling"].transform(_flat(samples.x))
    staged = getattr(estimator, f"staged_{method}", lambda x: [getattr(estimator, method)(x)])
    unscale = description.target_scaler.inverse_transform if description.target_scaler else np.asarray
    for predictions in staged(scaled):
        columns = metrics.columns(task, samples.y, _of_all_classes(unscale(predictions), estimator, description))
        bound = metrics.bound_metrics(task, columns)
        yield {prefix + name: bound[name].value for name in names}


def _of_all_classes(predictions: np.ndarray, fitted: Any, description: InputDescription) -> np.ndarray:
    """Predictions with the probability 0 for each class without a training sample, which scikit-learn leaves out."""
    present = getattr(fitted, "classes_", ())
    if predictions.ndim < 2 or len(present) == len(description.classes):
        return predictions
    completed = np.zeros((len(predictions), len(description.classes)), predictions.dtype)
    completed[:, np.asarray(present, dtype=int)] = predictions
    return completed


def _flat(x: np.ndarray) -> np.ndarray:
    return np.asarray(x, dtype=np.float64).reshape(len(x), -1)
