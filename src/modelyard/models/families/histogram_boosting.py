"""Histogram gradient boosting: boosting on binned features, fast on many rows; takes missing values and categories."""

from typing import Any, Literal

from pydantic import Field

from modelyard.core.config import Settings as Base
from modelyard.core.errors import ModelyardError
from modelyard.data.inputs import InputDescription, TrainingInput
from modelyard.data.preprocessing import by_feature
from modelyard.data.samples import Task

TAKES_GAPS = True
NATIVE_CATEGORIES = True  # a column of category numbers is split as it is, without one-hot features
MOST_CATEGORIES = 255  # scikit-learn counts them in a byte


class Settings(Base):
    """Hyperparameters of scikit-learn's histogram-based gradient boosting, with its defaults."""

    family: Literal["histogram_boosting"]
    max_iter: int = Field(default=100, ge=1, description="number of trees; for more than two classes, of each class")
    learning_rate: float = Field(default=0.1, gt=0)
    max_leaf_nodes: int = Field(default=31, ge=2, description="of each tree")
    l2_regularization: float = Field(default=0.0, ge=0)


def check(data: TrainingInput, _settings: Settings) -> None:
    """Refuse columns with more categories than scikit-learn takes.

    Raises:
        ModelyardError: It names the first of them.
    """
    description = data.description
    columns = {feature.position: feature.column.name for feature in by_feature(description.columns)}
    for encoded in description.preprocessing.one_hot if description.preprocessing else ():
        if len(encoded.codes) > MOST_CATEGORIES:
            raise ModelyardError(
                f"column {columns[encoded.feature]!r} has {len(encoded.codes)} categories in the training samples, and "
                f"family histogram_boosting takes {MOST_CATEGORIES}: give the input a larger `min_frequency`, so that "
                "rare ones count as missing, or take another family."
            )


def build(description: InputDescription, settings: Settings, seed: int) -> Any:
    """Create the unfitted scikit-learn estimator of a task, for the features that `sklearn_columns` encodes."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    estimators: dict[Task, Any] = {
        "classification": HistGradientBoostingClassifier,
        "regression": HistGradientBoostingRegressor,
    }
    return estimators[description.task](
        max_iter=settings.max_iter,
        learning_rate=settings.learning_rate,
        max_leaf_nodes=settings.max_leaf_nodes,
        l2_regularization=settings.l2_regularization,
        categorical_features=_categories(description) or None,
        early_stopping=False,  # it would hold out some of the training samples
        random_state=seed,
    )


def _categories(description: InputDescription) -> list[int]:
    """The positions of the category columns, which follow the numbers and the indicators of gaps."""
    preprocessing = description.preprocessing
    if preprocessing is None:
        return []
    first = len(preprocessing.numbers) + len(preprocessing.indicators)
    return list(range(first, first + len(preprocessing.one_hot)))
