"""Calibration of a classification: whether a class comes as often as its probabilities say."""

from dataclasses import dataclass

import numpy as np

from modelyard.experiments.distance_from_best import read_predictions
from modelyard.params.results import ExperimentResults

BINS = 10  # as in calibration.png, whose module needs Matplotlib


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
            f"The expected calibration error is the mean distance of the probability of {self.probability} from how "
            f"often it comes true, in {BINS} bins of equal width; 0 is calibrated. `figures/calibration.png` shows "
            "each bin."
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


def expected_calibration_error(happened: np.ndarray, probability: np.ndarray) -> float:
    """The mean distance of the share of samples for which a class came true from the mean of its probabilities.

    Both are taken in bins of equal width, and each bin counts by its samples. Naeini, Cooper and Hauskrecht, Obtaining
    Well Calibrated Probabilities Using Bayesian Binning, AAAI 2015.

    Args:
        happened: whether the class is the true one (n,).
        probability: its probability (n,).
    """
    bins = np.minimum((probability * BINS).astype(int), BINS - 1)
    distances = np.bincount(bins, weights=happened - probability, minlength=BINS)
    return float(np.abs(distances).sum() / len(probability))
