"""Linear model: a network with no hidden layer, solved exactly; it explains more and predicts less."""

from typing import Any, Literal

from modelyard.core.config import Settings as Base
from modelyard.data.samples import Task


class Settings(Base):
    """Least squares for regression, logistic regression for classification."""

    family: Literal["linear"]


def build(task: Task, settings: Settings, seed: int) -> Any:
    """A scikit-learn estimator that has not been fitted."""
    from sklearn.linear_model import LinearRegression, LogisticRegression

    if task == "regression":
        return LinearRegression()
    return LogisticRegression(max_iter=1000, random_state=seed)
