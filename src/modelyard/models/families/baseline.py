"""Baseline: what is answered without a look at the row; a model that learned something does better."""

from typing import Any, Literal

from modelyard.core.config import Settings as Base
from modelyard.data.samples import Task


class Settings(Base):
    """The most frequent class with the shares of the classes as probabilities, or the mean of the targets."""

    family: Literal["baseline"]


def build(task: Task, settings: Settings, seed: int) -> Any:
    """A scikit-learn estimator that has not been fitted."""
    from sklearn.dummy import DummyClassifier, DummyRegressor

    return DummyRegressor(strategy="mean") if task == "regression" else DummyClassifier(strategy="prior")
