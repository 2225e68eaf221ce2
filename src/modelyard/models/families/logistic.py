"""Logistic regression: a linear classifier, regularized."""

from typing import Any, Literal

from pydantic import Field

from modelyard.core.config import Settings as Base
from modelyard.data.inputs import InputDescription
from modelyard.data.samples import Task

TASKS: tuple[Task, ...] = ("classification",)


class Settings(Base):
    """Hyperparameters of scikit-learn's logistic regression, which suits scaled features."""

    family: Literal["logistic"]
    C: float = Field(default=1.0, gt=0, description="inverse of the strength of the L2 penalty")
    max_iter: int = Field(default=1000, ge=1, description="iterations of the solver at most")


def build(_description: InputDescription, settings: Settings, seed: int) -> Any:
    """Create the unfitted scikit-learn estimator."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=settings.C, max_iter=settings.max_iter, random_state=seed)
