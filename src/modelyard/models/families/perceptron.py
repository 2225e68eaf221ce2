"""Perceptron: a neuron with a step, trained by Rosenblatt's rule: it learns what a straight line divides."""

from typing import Any, Literal

from pydantic import Field

from modelyard.core.config import Settings as Base
from modelyard.data.inputs import InputDescription
from modelyard.data.samples import Task

TASKS: tuple[Task, ...] = ("classification",)


class Settings(Base):
    """Hyperparameters of scikit-learn's perceptron, which suits scaled features."""

    family: Literal["perceptron"]
    max_iter: int = Field(default=100, ge=1, description="passes over the training samples")


def build(_description: InputDescription, settings: Settings, seed: int) -> Any:
    """Create the unfitted scikit-learn estimator.

    A step gives no probabilities: a bag of this one estimator predicts the probability 1 for the class that it votes
    for. `tol=None` trains for all passes, because the error does not fall steadily.
    """
    from sklearn.ensemble import BaggingClassifier
    from sklearn.linear_model import Perceptron

    neuron = Perceptron(max_iter=settings.max_iter, tol=None)
    return BaggingClassifier(neuron, n_estimators=1, bootstrap=False, random_state=seed)
