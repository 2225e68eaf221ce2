"""Gradient boosting: an ensemble of small trees, each fitted to the errors of those before it."""

from typing import Any, Literal

from pydantic import Field

from modelyard.core.config import Settings as Base
from modelyard.data.inputs import InputDescription
from modelyard.data.samples import Task


class Settings(Base):
    """Hyperparameters of scikit-learn's gradient boosting, with its defaults."""

    family: Literal["boosting"]
    n_estimators: int = Field(default=100, ge=1)
    max_depth: int = Field(default=3, ge=1, description="of each tree")
    learning_rate: float = Field(default=0.1, gt=0)
    subsample: float = Field(default=1.0, gt=0, le=1, description="share of the training samples that each tree sees")


def build(description: InputDescription, settings: Settings, seed: int) -> Any:
    """Create the unfitted scikit-learn estimator of a task."""
    from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor

    estimators: dict[Task, Any] = {
        "classification": GradientBoostingClassifier,
        "regression": GradientBoostingRegressor,
    }
    return estimators[description.task](
        n_estimators=settings.n_estimators,
        max_depth=settings.max_depth,
        learning_rate=settings.learning_rate,
        subsample=settings.subsample,
        random_state=seed,
    )
