"""The decision threshold of two classes: the probability from which a model predicts the second, positive one.

It is chosen on validation samples for a goal, and kept in the model, so that evaluation, prediction and serving agree.
"""

from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Discriminator, Field, Tag

from modelyard.core.config import Settings
from modelyard.core.errors import ModelyardError
from modelyard.data.samples import TARGET_KINDS, Samples, Task

HALF = 0.5  # the threshold of a model without one: the likelier class


class ErrorCosts(Settings):
    """What the two kinds of errors cost; only their ratio matters."""

    false_positive: float = Field(gt=0, description="cost of a sample of the first class predicted as the second")
    false_negative: float = Field(gt=0, description="cost of a sample of the second class predicted as the first")


def _kind(goal: Any) -> str:
    """Which of the two kinds of `Goal` a value is checked against."""
    return "costs" if isinstance(goal, dict | ErrorCosts) else "name"


Goal = Annotated[
    Annotated[Literal["f1", "balanced_accuracy"], Tag("name")] | Annotated[ErrorCosts, Tag("costs")],
    Discriminator(_kind),
]


class DecisionThreshold(Settings):
    """A threshold, its goal, and what it gains on the validation samples that it was chosen on.

    Attributes:
        value: the smallest probability of the second class with which it is predicted.
        goal: what was best on the validation samples.
        validation_samples: their number.
        validation: the goal's value there: an F1 or balanced accuracy, or the mean cost of a sample.
        validation_at_half: the same at a threshold of 0.5.
    """

    value: float
    goal: Goal
    validation_samples: int
    validation: float
    validation_at_half: float


class ConfusionCounts(NamedTuple):
    """Numbers of samples by true and predicted class, of one threshold or of several (n,)."""

    true_positive: npt.NDArray[np.int64]
    false_positive: npt.NDArray[np.int64]
    false_negative: npt.NDArray[np.int64]
    true_negative: npt.NDArray[np.int64]


def goal_name(goal: Goal) -> str:
    """What is optimised, in words."""
    if isinstance(goal, ErrorCosts):
        return f"mean cost (false positive {goal.false_positive:g}, false negative {goal.false_negative:g})"
    return goal


def check_threshold(task: Task, classes: int, validation: float) -> None:
    """Refuse a threshold where nothing can be decided by it, or where no sample can choose it.

    Args:
        task: of the model.
        classes: their number; 0 where it is not known yet.
        validation: the number or fraction of validation samples.

    Raises:
        ModelyardError: the task is no classification of two classes, or there are no validation samples.
    """
    if TARGET_KINDS[task] != "class" or classes not in (0, 2):
        what = f"one of {classes} classes" if TARGET_KINDS[task] == "class" else f"a {task}"
        raise ModelyardError(f"`threshold` is for a classification of two classes, and this is {what}; leave it out")
    if not validation:
        raise ModelyardError(
            "`threshold` is chosen on validation samples, and this input has none: give its `split` a `validation` "
            "fraction, such as 0.2, or leave out `threshold`"
        )


def check_validation(validation: Samples, classes: tuple[str, ...]) -> None:
    """Refuse validation samples of a single class.

    Raises:
        ModelyardError: it names the class.
    """
    present = np.unique(validation.y)
    if len(present) == 1:
        raise ModelyardError(
            f"`threshold` is chosen on validation samples of both classes, and all {len(validation)} are of class "
            f"{classes[present[0]]!r}: add `stratify: true` to the input's `split`, or raise its `validation`"
        )


def choose_threshold(goal: Goal, truth: npt.NDArray[np.int64], positive: npt.NDArray[np.floating]) -> DecisionThreshold:
    """Choose the threshold with the best value of a goal; of equally good ones the nearest to 0.5.

    Candidates are 0.5, the middle between each two neighbouring probabilities, 0, and one above all probabilities.

    Args:
        goal: what is to be best.
        truth: class numbers 0 and 1 (n,).
        positive: probabilities of class 1 (n,).
    """
    positive = positive.astype(np.float64)
    probabilities = np.unique(positive)
    never = max((probabilities[-1] + 1) / 2, np.nextafter(probabilities[-1], 2))
    candidates = np.array([0.0, *(probabilities[1:] + probabilities[:-1]) / 2, never, HALF])
    values = goal_value(goal, _count(truth, positive, candidates))
    best = values.min() if isinstance(goal, ErrorCosts) else values.max()
    good = candidates[np.isclose(values, best, rtol=1e-12, atol=0)]
    chosen = good[np.abs(good - HALF).argmin()]
    return DecisionThreshold(
        value=float(chosen),
        goal=goal,
        validation_samples=len(truth),
        validation=goal_at(goal, truth, positive, float(chosen)),
        validation_at_half=float(values[-1]),
    )


def goal_at(goal: Goal, truth: npt.NDArray[np.int64], positive: npt.NDArray[np.floating], threshold: float) -> float:
    """The value of a goal at a threshold."""
    return float(goal_value(goal, _count(truth, positive, np.array([threshold])))[0])


def goal_value(goal: Goal, counts: ConfusionCounts) -> npt.NDArray[np.float64]:
    """The value of a goal for each count of samples: higher is better, but for the mean cost."""
    hits, false_alarms, misses, rejections = (number.astype(np.float64) for number in counts)
    if isinstance(goal, ErrorCosts):
        cost = goal.false_positive * false_alarms + goal.false_negative * misses
        return np.asarray(cost / (hits + false_alarms + misses + rejections))
    if goal == "f1":
        return np.asarray(2 * hits / np.maximum(2 * hits + false_alarms + misses, 1))
    recall, specificity = hits / np.maximum(hits + misses, 1), rejections / np.maximum(rejections + false_alarms, 1)
    return np.asarray((recall + specificity) / 2)


def predicted_classes(
    probabilities: npt.NDArray[np.floating], threshold: DecisionThreshold | None
) -> npt.NDArray[np.int64]:
    """The predicted class numbers (n,) of probabilities (n, classes): the likeliest, or by the threshold."""
    if threshold is None:
        return np.asarray(probabilities.argmax(axis=1))
    return (probabilities[:, 1].astype(np.float64) >= threshold.value).astype(np.int64)  # float32 would round the value


def _count(
    truth: npt.NDArray[np.int64], positive: npt.NDArray[np.floating], thresholds: npt.NDArray[np.float64]
) -> ConfusionCounts:
    """Counts at each threshold."""
    ones, zeros = np.sort(positive[truth == 1]), np.sort(positive[truth == 0])
    misses, rejections = np.searchsorted(ones, thresholds), np.searchsorted(zeros, thresholds)
    return ConfusionCounts(len(ones) - misses, len(zeros) - rejections, misses, rejections)
