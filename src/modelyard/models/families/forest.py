"""Random forest: the mean of many deep trees, each fitted to a bootstrap sample of the training samples."""

from typing import Annotated, Any, Literal

from pydantic import Field

from modelyard.core.config import Settings as Base
from modelyard.data.inputs import InputDescription
from modelyard.data.samples import Task

TAKES_GAPS = True


class Settings(Base):
    """Hyperparameters of scikit-learn's random forest, with its defaults."""

    family: Literal["forest"]
    n_estimators: int = Field(default=100, ge=1, description="number of trees")
    max_depth: int | None = Field(default=None, ge=1, description="of each tree; null: no limit")
    min_samples_leaf: int = Field(default=1, ge=1)
    max_features: Literal["sqrt", "log2"] | Annotated[float, Field(gt=0, le=1)] | None = Field(
        default=None,
        description="features that each split chooses from: sqrt or log2 of their number, or a share; null: sqrt for "
        "classes, all for values",
    )


def build(description: InputDescription, settings: Settings, seed: int) -> Any:
    """Create the unfitted scikit-learn estimator of a task."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    estimators: dict[Task, tuple[Any, Any]] = {
        "classification": (RandomForestClassifier, "sqrt"),
        "regression": (RandomForestRegressor, 1.0),
    }
    estimator, max_features = estimators[description.task]
    return estimator(
        n_estimators=settings.n_estimators,
        max_depth=settings.max_depth,
        min_samples_leaf=settings.min_samples_leaf,
        max_features=settings.max_features or max_features,
        random_state=seed,
        n_jobs=1,
    )
