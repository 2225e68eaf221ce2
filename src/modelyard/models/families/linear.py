"""Linear model: easy to explain, and the reference that a larger model has to beat."""

from typing import Any, Literal

from modelyard.core.config import Settings as Base
from modelyard.data.inputs import InputDescription
from modelyard.data.samples import Task


class Settings(Base):
    """Least squares for regression, logistic regression for classification."""

    family: Literal["linear"]


def build(description: InputDescription, _settings: Settings, seed: int) -> Any:
    """Create the unfitted scikit-learn estimator of a task."""
    from sklearn.linear_model import LinearRegression, LogisticRegression

    estimators: dict[Task, Any] = {
        "classification": LogisticRegression(max_iter=1000, random_state=seed),
        "regression": LinearRegression(),
    }
    return estimators[description.task]
