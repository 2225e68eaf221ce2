"""Calibration of a classification: whether a class comes as often as its probabilities say."""

from dataclasses import dataclass

import numpy as np

from modelyard.experiments.distance_from_best import read_predictions
from modelyard.metrics.calibration import BINS, expected_calibration_error
from modelyard.params.results import ExperimentResults


@dataclass(frozen=True)
class Calibration:
    """How well the probabilities of an experiment are calibrated.

    Attributes:
        probability: of what the probabilities are.
        error: their expected calibration error on test samples.
    """

    probability: str
    error: float

    @property
    def text(self) -> str:
        """What the error means."""
        return (
            f"The expected calibration error is the mean distance of the probability of {self.probability} from its "
            f"observed frequency, in {BINS} bins of equal width. `figures/calibration.png` shows each bin."
        )


def read_calibration(results: ExperimentResults, positive_class: str) -> Calibration | None:
    """The calibration on test samples, as in calibration.png; None without predictions of classes.

    Args:
        results: of the experiment.
        positive_class: of two classes, the one that the probabilities are of; else empty.
    """
    if not results.classes or not results.predictions.exists():
        return None
    try:
        columns = read_predictions(results.predictions)
        truth, prediction, probability = (columns[name] for name in ("truth", "prediction", "probability"))
        if not len(truth):
            return None
        if positive_class:
            positive = np.where(prediction == 1, probability, 1 - probability)
            return Calibration(f"class {positive_class}", expected_calibration_error(truth == 1, positive))
        return Calibration("the predicted class", expected_calibration_error(truth == prediction, probability))
    except (KeyError, TypeError, ValueError):  # of another task, half-written: the comparison warns of it
        return None
