"""The threshold is the best of all for its goal on the samples that it is chosen on, and is refused without them."""

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from modelyard.core.errors import ModelyardError
from modelyard.data.decision_threshold import (
    HALF,
    ErrorCosts,
    Goal,
    check_threshold,
    check_validation,
    choose_threshold,
    goal_at,
    goal_name,
    predicted_classes,
)
from modelyard.data.samples import Samples

COSTS = ErrorCosts(false_positive=1, false_negative=5)
GOALS = ["f1", "balanced_accuracy", COSTS]


def value(goal: Goal, truth: np.ndarray, prediction: np.ndarray) -> float:
    """A goal's value by scikit-learn."""
    if goal == "f1":
        return sklearn.metrics.f1_score(truth, prediction, zero_division=0)
    (tn, fp), (fn, tp) = sklearn.metrics.confusion_matrix(truth, prediction, labels=[0, 1])
    if goal == "balanced_accuracy":
        return (tp / (tp + fn) + tn / (tn + fp)) / 2
    return (goal.false_positive * fp + goal.false_negative * fn) / len(truth)


def samples(seed: int, levels: int, dtype: type) -> tuple[np.ndarray, np.ndarray]:
    """Some samples of both classes, with probabilities that are often equal."""
    random = np.random.default_rng(seed)
    truth = np.append([0, 1], random.integers(0, 2, int(random.integers(0, 30))))
    return truth, (random.integers(0, levels + 1, len(truth)) / levels).astype(dtype)


@pytest.mark.parametrize("goal", GOALS, ids=goal_name)
@given(st.integers(0, 10_000), st.integers(1, 50), st.sampled_from([np.float32, np.float64]))
def test_no_threshold_is_better_on_its_samples(goal: Goal, seed: int, levels: int, dtype: type) -> None:
    truth, positive = samples(seed, levels, dtype)
    chosen = choose_threshold(goal, truth, positive)
    probabilities = np.stack([1 - positive, positive], axis=1)
    found = value(goal, truth, predicted_classes(probabilities, chosen))
    every = [value(goal, truth, positive >= each) for each in [*np.unique(positive), 2.0]]
    assert found == pytest.approx(min(every) if goal == COSTS else max(every))
    assert chosen.validation == pytest.approx(found)
    assert chosen.validation_at_half == pytest.approx(value(goal, truth, positive >= 0.5))
    assert goal_at(goal, truth, positive, HALF) == chosen.validation_at_half
    assert (chosen.goal, chosen.validation_samples) == (goal, len(truth))
    assert 0 <= chosen.value <= np.nextafter(1, 2)


def test_of_equally_good_thresholds_the_nearest_to_a_half_is_taken() -> None:
    truth, positive = np.array([0, 0, 1, 1]), np.array([0.1, 0.3, 0.7, 0.9])
    assert choose_threshold("f1", truth, positive).value == 0.5
    assert choose_threshold("f1", truth, positive / 2).value == pytest.approx(0.25)


def test_a_dear_miss_lowers_the_threshold() -> None:
    truth, positive = np.array([0, 1, 0, 1]), np.array([0.1, 0.3, 0.4, 0.9])
    cheap, dear = (
        choose_threshold(ErrorCosts(false_positive=1, false_negative=cost), truth, positive).value for cost in (0.5, 5)
    )
    assert dear < 0.3 < 0.4 < cheap


def test_without_a_threshold_the_likeliest_class_is_predicted() -> None:
    assert predicted_classes(np.array([[0.2, 0.5, 0.3], [0.4, 0.3, 0.3]]), None).tolist() == [1, 0]


def test_a_probability_that_float32_cannot_tell_from_the_threshold_is_on_the_side_where_it_was_counted() -> None:
    low = np.float32(0.3)
    positive = np.array([low, np.nextafter(low, np.float32(1))])
    chosen = choose_threshold("f1", np.array([0, 1]), positive)
    assert predicted_classes(np.stack([1 - positive, positive], axis=1), chosen).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("task", "classes", "validation", "said"),
    [
        ("regression", 0, 0.2, "this is a regression; leave it out"),
        ("classification", 3, 0.2, "this is one of 3 classes; leave it out"),
        ("classification", 2, 0.0, "this input has none: give its `split` a `validation` fraction"),
        ("classification", 0, 0.0, "this input has none"),
    ],
)
def test_a_threshold_that_nothing_can_choose_is_refused(task, classes: int, validation: float, said: str) -> None:
    with pytest.raises(ModelyardError, match=said):
        check_threshold(task, classes, validation)


def test_two_classes_and_a_class_count_that_is_not_known_are_accepted() -> None:
    check_threshold("classification", 2, 0.2)
    check_threshold("classification", 0, 12)


def test_validation_samples_of_one_class_are_refused() -> None:
    check_validation(Samples(np.zeros((2, 1)), np.array([0, 1])), ("no", "yes"))
    with pytest.raises(ModelyardError, match="all 3 are of class 'yes': add `stratify: true`"):
        check_validation(Samples(np.zeros((3, 1)), np.ones(3, dtype=int)), ("no", "yes"))
