"""Which columns of a table matter: the coefficients of a linear regression, the permutation importance of any model."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from modelyard import metrics
from modelyard.core.errors import ModelyardError
from modelyard.data.inputs import TrainingInput
from modelyard.data.samples import Samples
from modelyard.experiments import evaluate
from modelyard.experiments.plots.style import BLUE, GREEN, PURPLE, RED, YELLOW
from modelyard.metrics.bootstrap import CONFIDENCE
from modelyard.models import Model

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SEED = 0  # of the shuffles
LOOKS = ((BLUE, "o"), (RED, "s"), (GREEN, "^"), (YELLOW, "D"), (PURPLE, "v"))  # colours and markers
COEFFICIENT, IMPORTANCE = "coefficient", "importance"
AXES = {COEFFICIENT: "change of the prediction for one standard deviation", IMPORTANCE: "rise of the {} when shuffled"}


def explain(model: Model, training: TrainingInput, test: Path, shuffles: int) -> "pd.DataFrame":
    """What each column is worth to a model.

    Columns: measure, feature, value, low, high. BoundMetric `coefficient`, of a linear regression alone, is the change of
    the prediction for one standard deviation of the feature, with its 95 % t interval; `importance` is the rise of the
    model's error on the test rows when the feature is shuffled, with the range of 95 % of the shuffles.

    Raises:
        ModelyardError: the rows are no table.
    """
    import pandas as pd

    if not model.description.features:
        shape = model.description.shape
        raise ModelyardError(f"explain is for tables; the rows of {model.description.dataset} have the shape {shape}")
    tables = [_importances(model, evaluate.rows_of(test), shuffles)]
    if _is_linear_regression(model):
        tables.insert(0, _coefficients(model, training.training))
    return pd.concat(tables, ignore_index=True)


def error_of(model: Model) -> str:
    """What an importance is measured in: the error that rises."""
    return "share of wrong answers" if model.description.task == "classification" else "mean absolute error"


def draw(table: "pd.DataFrame", error: str, unit: str = "") -> "Figure":
    """Coefficients beside importances, the columns in the order of their mean importance.

    The table is that of `explain`, of several experiments, with a column `experiment`; `unit` is the target's.
    """
    from matplotlib.figure import Figure

    importances = table[table.measure == IMPORTANCE]
    order = importances.groupby("feature").value.mean().sort_values(kind="stable").index
    measures = [each for each in (COEFFICIENT, IMPORTANCE) if each in set(table.measure)]
    figure = Figure(figsize=(4.5 * len(measures) + 1, 1.6 + 0.32 * len(order)), layout="constrained")
    places = figure.subplots(1, len(measures), sharey=True, squeeze=False)[0]
    looks = dict(zip(dict.fromkeys(table.experiment), LOOKS * len(table), strict=False))
    for axes, measure in zip(places, measures, strict=True):
        _draw_measure(axes, table[table.measure == measure], list(order), looks)
        axes.set_xlabel(AXES[measure].format(error) + (f"\nin {unit}" if unit else ""))
    places[0].set_yticks(range(len(order)), order)
    handles = {
        label: handle for axes in places for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=3, frameon=False, fontsize="small")
    return figure


def _draw_measure(axes: "Axes", table: "pd.DataFrame", order: list[str], looks: dict[str, tuple[str, str]]) -> None:
    axes.axvline(0, color="grey", linewidth=1)
    names = list(dict.fromkeys(table.experiment))
    for number, name in enumerate(names):
        rows = table[table.experiment == name].set_index("feature").loc[order]
        heights = np.arange(len(order)) - 0.2 * (number - (len(names) - 1) / 2)
        reach = np.abs(np.stack([rows.value - rows.low, rows.high - rows.value]))
        colour, marker = looks[name]
        axes.errorbar(rows.value, heights, xerr=reach, fmt=marker, color=colour, markersize=4, label=name)


def _is_linear_regression(model: Model) -> bool:
    is_estimator = model.flavour == "sklearn" and model.description.task == "regression"
    return is_estimator and hasattr(model.native["model"], "coef_")


def _coefficients(model: Model, rows: Samples) -> "pd.DataFrame":
    """The saved model's own coefficients; their intervals are those of statsmodels' OLS on the same rows."""
    import pandas as pd
    from statsmodels.api import OLS, add_constant

    x = np.asarray(rows.x, dtype=np.float64)
    deviations = x.std(axis=0)
    scaled = (x - x.mean(axis=0)) / np.where(deviations > 0, deviations, 1.0)
    low, high = OLS(rows.y, add_constant(scaled, has_constant="add")).fit().conf_int(1 - CONFIDENCE)[1:].T
    table = model.coefficients().iloc[1:]
    values = table.coefficient.to_numpy() * deviations
    return pd.DataFrame({"measure": COEFFICIENT, "feature": table.feature, "value": values, "low": low, "high": high})


def _importances(model: Model, rows: Samples, shuffles: int) -> "pd.DataFrame":
    import pandas as pd
    from sklearn.inspection import permutation_importance

    found = permutation_importance(
        _Asked(model), np.asarray(rows.x), np.asarray(rows.y), scoring=_score, n_repeats=shuffles, random_state=SEED
    )
    low, high = np.quantile(found.importances, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=1)
    features = list(model.description.features)
    values = {"value": found.importances_mean, "low": low, "high": high}
    return pd.DataFrame({"measure": IMPORTANCE, "feature": features, **values})


class _Asked:
    """A model as scikit-learn takes it: with a `fit`, which is not called."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def fit(self) -> None:
        raise NotImplementedError("it is fitted already")


def _score(asked: _Asked, rows: np.ndarray, truth: np.ndarray) -> float:
    """The higher, the better: accuracy, or the mean absolute error with a minus."""
    task = asked.model.description.task
    figures = metrics.values(metrics.bound_metrics(task, metrics.columns(task, truth, asked.model.predict(rows))))
    return figures["accuracy"] if task == "classification" else -figures["mae"]
