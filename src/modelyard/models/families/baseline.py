"""Baseline: a prediction that ignores the features; a model that learned something does better."""

from typing import Any, Literal

from modelyard.core.config import Settings as Base
from modelyard.data.inputs import InputDescription
from modelyard.data.samples import Task

TAKES_GAPS = True


class Settings(Base):
    """The most frequent class with the shares of the classes as probabilities, or the mean of the targets."""

    family: Literal["baseline"]


def build(description: InputDescription, _settings: Settings, _seed: int) -> Any:
    """Create the unfitted scikit-learn estimator of a task."""
    from sklearn.dummy import DummyClassifier, DummyRegressor

    estimators: dict[Task, Any] = {
        "classification": DummyClassifier(strategy="prior"),
        "regression": DummyRegressor(strategy="mean"),
    }
    return estimators[description.task]
