"""Feature importance for tables: coefficients of linear regressions, permutation importance of any model."""

from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

import numpy as np

from modelyard import metrics
from modelyard.core.errors import ModelyardError
from modelyard.data.inputs import TrainingInput
from modelyard.data.samples import Samples
from modelyard.experiments import evaluate
from modelyard.experiments.plots.style import BLUE, GREEN, PURPLE, RED, YELLOW
from modelyard.experiments.tasks import TASKS
from modelyard.experiments.tasks.interface import ImportanceMetric
from modelyard.metrics.bootstrap import CONFIDENCE
from modelyard.models import Model
from modelyard.models.engine.sklearn_model import SklearnModel

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SEED = 0  # of the permutations
STYLES = ((BLUE, "o"), (RED, "s"), (GREEN, "^"), (YELLOW, "D"), (PURPLE, "v"))  # colours and markers
COEFFICIENT, IMPORTANCE = "coefficient", "importance"
AXES = {
    COEFFICIENT: "change of the prediction for one standard deviation",
    IMPORTANCE: "increase of the {} when shuffled",
}


def explain(model: Model, training: TrainingInput, test: Path, shuffles: int) -> "pd.DataFrame":
    """The importance of each feature for a model.

    Args:
        model: a fitted model.
        training: its training data.
        test: the folder of its test samples.
        shuffles: how often each feature is permuted.

    Returns:
        Columns: measure, feature, value, low, high. The measure `coefficient`, only for a linear regression of numbers,
        is the change of the prediction for one standard deviation of the feature, with its 95 % t interval;
        `importance` is the increase of the error on the test samples when the feature is permuted, with the range of
        95 % of the permutations.

    Raises:
        ModelyardError: the samples are not rows of a table, or the task has no error for this.
    """
    import pandas as pd

    if not model.description.features:
        shape = model.description.shape
        raise ModelyardError(f"explain is for tables; the rows of {model.description.dataset} have the shape {shape}")
    tables = [_importances(model, evaluate.load_test_samples(test), shuffles)]
    if _is_linear_regression(model):
        tables.insert(0, _coefficients(model, training.training))
    return pd.concat(tables, ignore_index=True)


def error_label(model: Model) -> str:
    """The name of the error by which importance is measured."""
    return _importance_metric(model).error


def plot(table: "pd.DataFrame", error: str, unit: str = "") -> "Figure":
    """Coefficients beside importances, with the features in the order of their mean importance.

    Args:
        table: the tables of `explain` for some experiments, with a column `experiment`.
        error: the name of the error (see `error_label`).
        unit: the unit of the target.
    """
    from matplotlib.figure import Figure

    importances = table[table.measure == IMPORTANCE]
    order = importances.groupby("feature").value.mean().sort_values(kind="stable").index
    measures = [measure for measure in (COEFFICIENT, IMPORTANCE) if measure in set(table.measure)]
    figure = Figure(figsize=(4.5 * len(measures) + 1, 1.6 + 0.32 * len(order)), layout="constrained")
    all_axes = figure.subplots(1, len(measures), sharey=True, squeeze=False)[0]
    styles = dict(zip(dict.fromkeys(table.experiment), STYLES * len(table), strict=False))
    for axes, measure in zip(all_axes, measures, strict=True):
        _plot_measure(axes, table[table.measure == measure], list(order), styles)
        axes.set_xlabel(AXES[measure].format(error) + (f"\nin {unit}" if unit else ""))
    all_axes[0].set_yticks(range(len(order)), order)
    handles = {
        label: handle for axes in all_axes for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=3, frameon=False, fontsize="small")
    return figure


def _plot_measure(axes: "Axes", table: "pd.DataFrame", order: list[str], styles: dict[str, tuple[str, str]]) -> None:
    axes.axvline(0, color="grey", linewidth=1)
    names = list(dict.fromkeys(table.experiment))
    for number, name in enumerate(names):
        rows = table[table.experiment == name].set_index("feature").loc[order]
        heights = np.arange(len(order)) - 0.2 * (number - (len(names) - 1) / 2)
        reach = np.abs(np.stack([rows.value - rows.low, rows.high - rows.value]))
        colour, marker = styles[name]
        axes.errorbar(rows.value, heights, xerr=reach, fmt=marker, color=colour, markersize=4, label=name)


def _is_linear_regression(model: Model) -> TypeGuard[SklearnModel]:
    return isinstance(model, SklearnModel) and model.is_linear_regression and not model.description.preprocessing


def _importance_metric(model: Model) -> ImportanceMetric:
    metric = TASKS[model.description.task].IMPORTANCE_METRIC
    if metric is None:
        raise ModelyardError(f"explain needs a metric for feature importance; {model.description.task} defines none")
    return metric


def _coefficients(model: SklearnModel, samples: Samples) -> "pd.DataFrame":
    """The saved model's own coefficients, with the intervals of statsmodels' OLS on the same samples."""
    import pandas as pd
    from statsmodels.api import OLS, add_constant

    x = np.asarray(samples.x, dtype=np.float64)
    deviations = x.std(axis=0)
    scaled = (x - x.mean(axis=0)) / np.where(deviations > 0, deviations, 1.0)
    low, high = OLS(samples.y, add_constant(scaled, has_constant="add")).fit().conf_int(1 - CONFIDENCE)[1:].T
    table = model.coefficients().iloc[1:]
    values = table.coefficient.to_numpy() * deviations
    return pd.DataFrame({"measure": COEFFICIENT, "feature": table.feature, "value": values, "low": low, "high": high})


def _importances(model: Model, samples: Samples, shuffles: int) -> "pd.DataFrame":
    import pandas as pd
    from sklearn.inspection import permutation_importance

    result = permutation_importance(
        _FittedModel(model),
        np.asarray(samples.x),
        np.asarray(samples.y),
        scoring=_score,
        n_repeats=shuffles,
        random_state=SEED,
    )
    low, high = np.quantile(result.importances, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=1)
    features = list(model.description.features)
    values = {"value": result.importances_mean, "low": low, "high": high}
    return pd.DataFrame({"measure": IMPORTANCE, "feature": features, **values})


class _FittedModel:
    """A model as scikit-learn accepts it: with a `fit`, which is never called."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def fit(self) -> None:
        raise NotImplementedError("the model is already fitted")


def _score(fitted: _FittedModel, x: np.ndarray, y: np.ndarray) -> float:
    """The task's metric, negated where lower is better."""
    task = fitted.model.description.task
    scored = TASKS[task].score(fitted.model, Samples(x, y), fitted.model.predict(x))
    metric = _importance_metric(fitted.model).metric
    value = scored.bound_metrics[metric].value
    return value if metrics.find_metric(metric, task).higher_is_better else -value
