"""Whether one model is better than another on the same rows: intervals of differences, held against what must be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from modelyard import metrics
from modelyard.metrics import detection
from modelyard.metrics.bootstrap import Interval, bootstrap_interval
from modelyard.metrics.definitions import BoundMetric, bound_detection_metrics, headline_metric
from modelyard.metrics.differences import PairedDifference, paired_difference


def accuracy(truth: np.ndarray, prediction: np.ndarray) -> BoundMetric:
    return metrics.accuracy, (truth, prediction)


def right(share: float, rows: int, seed: int) -> BoundMetric:
    """The accuracy of a model that is right about this share of its rows, by chance."""
    truth = np.zeros(rows, dtype=int)
    return accuracy(truth, (np.random.default_rng(seed).random(rows) > share).astype(int))


answers = some.lists(some.tuples(some.booleans(), some.booleans()), min_size=2, max_size=30)


@given(answers)
def test_exchanging_the_models_turns_the_difference_round(pairs: list[tuple[bool, bool]]) -> None:
    one, other = (accuracy(np.ones(len(pairs)), np.array(column)) for column in zip(*pairs, strict=True))
    there, back = paired_difference("accuracy", one, other), paired_difference("accuracy", other, one)
    assert there.gain == pytest.approx(-back.gain)
    assert there.interval == pytest.approx((-back.interval.high, -back.interval.low))
    assert not (there.is_clear and back.is_clear)


def test_a_model_gains_nothing_over_itself() -> None:
    same = right(0.8, rows=500, seed=1)
    found = paired_difference("accuracy", same, same)
    assert (found.gain, found.interval) == (0, (0, 0))
    assert not found.is_clear


def test_equal_models_seldom_seem_different() -> None:
    """At 95 % one in forty is taken for better."""
    trials = [
        paired_difference("accuracy", right(0.8, 200, 2 * n), right(0.8, 200, 2 * n + 1)).is_clear for n in range(120)
    ]
    assert sum(trials) <= 8


def test_a_plain_gain_is_seen() -> None:
    assert paired_difference("accuracy", right(0.5, 400, 1), right(0.9, 400, 2)).is_clear


def test_pairing_sees_what_two_intervals_hide() -> None:
    """Both err in the same rows, but for eight in which only the old one does."""
    truth = np.zeros(1000, dtype=int)
    new = (np.arange(1000) < 200).astype(int)
    old = (np.arange(1000) < 208).astype(int)
    of_old, of_new = (bootstrap_interval(*accuracy(truth, each)) for each in (old, new))
    assert of_old.high > of_new.low
    found = paired_difference("accuracy", accuracy(truth, old), accuracy(truth, new))
    assert found.gain == pytest.approx(0.008)
    assert found.is_clear


def test_what_a_single_row_says_is_all_noise() -> None:
    found = paired_difference("accuracy", accuracy(np.zeros(1), np.ones(1)), accuracy(np.zeros(1), np.zeros(1)))
    assert found.gain == 1
    assert not found.is_clear


def test_it_is_told_with_both_figures_the_rows_and_the_interval() -> None:
    told = str(PairedDifference("accuracy", 10_000, 0.9434, 0.9902, Interval(0.0427, 0.0511)))
    assert told == (
        "accuracy 0.9902 against 0.9434 on the same 10000 test rows: +0.0468, 95 % interval +0.0427 to +0.0511"
    )


def classification(right: bool) -> dict[str, BoundMetric]:
    truth = np.arange(60) % 3
    columns = metrics.columns("classification", truth, np.eye(3)[truth if right else (truth + 1) % 3])
    return metrics.bound_metrics("classification", columns)


def regression(right: bool) -> dict[str, BoundMetric]:
    truth = np.linspace(0, 1, 60)
    noise = 0.0 if right else np.random.default_rng(0).normal(size=60)
    return metrics.bound_metrics("regression", metrics.columns("regression", truth, truth + noise))


def reconstruction(right: bool) -> dict[str, BoundMetric]:
    truth = np.random.default_rng(0).random((60, 4))
    restored = truth if right else np.full_like(truth, 0.9)
    columns = metrics.reconstruction_columns(truth, restored, truth.mean(axis=0, keepdims=True))
    return metrics.bound_metrics("reconstruction", columns)


def detected(right: bool) -> dict[str, BoundMetric]:
    """Sixty images with one box each, found or overlooked."""
    truth = np.zeros((60, 1, 5))
    truth[:, 0] = [0, 1, 1, 5, 5]
    images = np.arange(60 if right else 0)
    found = detection.Boxes(images, np.zeros(len(images), int), truth[images, 0, 1:], np.ones(len(images)))
    return bound_detection_metrics(truth, found)


@pytest.mark.parametrize(
    "task, measures",
    [
        ("classification", classification),
        ("regression", regression),
        ("reconstruction", reconstruction),
        ("detection", detected),
    ],
)
def test_more_is_better_of_the_metric_that_stands_for_a_task(task: str, measures) -> None:
    metric = headline_metric(task)
    assert paired_difference(metric, measures(right=False)[metric], measures(right=True)[metric]).is_clear
    assert not paired_difference(metric, measures(right=True)[metric], measures(right=False)[metric]).is_clear
