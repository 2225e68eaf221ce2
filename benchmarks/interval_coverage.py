"""Measures how often the 95 % intervals of metrics on test samples cover the true value.

.venv/bin/python -m benchmarks.interval_coverage     # writes docs/intervals.md; about a quarter of an hour
.venv/bin/python -m benchmarks.interval_coverage --accuracy    # its exact table only; some seconds
"""

import argparse
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from modelyard import metrics
from modelyard.core.report_text import fill, markdown_table
from modelyard.metrics import BoundMetric, detection
from modelyard.metrics.bootstrap import Interval, bootstrap_interval, confidence_interval
from modelyard.metrics.definitions import Formula
from modelyard.metrics.ranking import average_precision, roc_auc

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "intervals.md"
TRIALS = {50: 500, 500: 200, 10_000: 50}  # test sets by their number of samples: the larger, the slower
TRIALS_OF_ACCURACY = {50: 2000, 500: 2000, 10_000: 300}  # it is the fastest
PERCENTILE = "percentile bootstrap"
WRONG = {"5 or more": (5.0, math.inf), "1 to 5": (1.0, 5.0), "0.05 to 1": (0.05, 1.0)}  # expected wrong predictions
LOWEST_ACCURACY = 0.5
POPULATION = 100_000  # samples, or images, whose (mean) average precision counts as the true one
DRAWS = Callable[[np.random.Generator, int], BoundMetric]

Values = npt.NDArray[np.float64]


class Case(NamedTuple):
    """A metric of made-up test samples, and its value of all samples that there could be."""

    metric: str
    samples: str
    truth: float
    draw: DRAWS
    trials: Mapping[int, int] = TRIALS


def cases(detection: bool = True) -> Iterator[Case]:
    """Every metric whose coverage is measured, in easy and in hard samples; a detection's true value takes long."""
    for right in (0.6, 0.9, 0.99):
        yield Case("accuracy", f"{right:.0%} right", right, _guesses(right), TRIALS_OF_ACCURACY)
    for shares, right in (((1 / 3, 1 / 3, 1 / 3), 0.9), ((0.8, 0.15, 0.05), 0.9), ((1 / 3, 1 / 3, 1 / 3), 0.99)):
        confusion = _confusion(shares, right)
        samples = f"classes of {' / '.join(f'{share:.0%}' for share in shares)}, {right:.0%} right"
        yield Case("macro F1", samples, _macro_f1(confusion), _classes(confusion))
    for name, noise in (("correlation", 1.0), ("correlation", 0.2)):
        yield Case(name, "normal targets and errors", 1 / np.sqrt(1 + noise**2), _numbers(noise, skewed=False))
        yield Case(name, "skewed targets, normal errors", 1 / np.sqrt(1 + noise**2), _numbers(noise, skewed=True))
    for area in (0.8, 0.98):
        for share in (0.5, 0.05):
            samples = f"two normal classes, {share:.0%} positive"
            yield Case("ROC AUC", samples, area, _scores(roc_auc, area, share))
            truth = _scores(average_precision, area, share)(np.random.default_rng(1), POPULATION).value
            yield Case("average precision", samples, truth, _scores(average_precision, area, share))
    yield Case("loss", "log-normal losses", float(np.exp(0.5)), _losses)
    if detection:
        yield Case(
            "mean average precision", "three classes, one to three boxes", _true_map(), _boxes, {50: 500, 500: 200}
        )


def _guesses(right: float) -> DRAWS:
    def draw(random: np.random.Generator, count: int) -> BoundMetric:
        return BoundMetric(metrics.accuracy, (np.ones(count, int), (random.random(count) < right).astype(int)))

    return draw


def _confusion(shares: tuple[float, ...], right: float) -> Values:
    """The probability of each pair of true and predicted class."""
    classes = len(shares)
    wrong = (1 - right) / (classes - 1)
    confusion: Values = np.array(shares)[:, None] * np.where(np.eye(classes), right, wrong)
    return confusion


def _macro_f1(confusion: Values) -> float:
    return float(np.mean(2 * np.diag(confusion) / (confusion.sum(0) + confusion.sum(1))))


def _classes(confusion: Values) -> DRAWS:
    def draw(random: np.random.Generator, count: int) -> BoundMetric:
        cells = random.choice(confusion.size, count, p=confusion.ravel())
        return BoundMetric(metrics.macro_f1, np.divmod(cells, len(confusion)))

    return draw


def _numbers(noise: float, skewed: bool) -> DRAWS:
    """Targets with mean 0 and variance 1, and predictions with errors of this standard deviation."""

    def draw(random: np.random.Generator, count: int) -> BoundMetric:
        truth = random.exponential(size=count) - 1 if skewed else random.normal(size=count)
        return BoundMetric(metrics.correlation, (truth, truth + noise * random.normal(size=count)))

    return draw


def _scores(formula: Formula, area: float, share: float) -> DRAWS:
    """Scores of two classes, normal with equal variances, whose ROC curve has this area."""
    from scipy.stats import norm

    distance = np.sqrt(2) * norm.ppf(area)

    def draw(random: np.random.Generator, count: int) -> BoundMetric:
        truth = random.random(count) < share
        truth[:2] = True, False  # neither class is missing
        return BoundMetric(formula, (truth.astype(int), random.normal(size=count) + distance * truth))

    return draw


def _losses(random: np.random.Generator, count: int) -> BoundMetric:
    return BoundMetric(metrics.definitions.mean, (random.lognormal(size=count),))


def _boxes(random: np.random.Generator, count: int) -> BoundMetric:
    """Images with boxes of three classes; nine in ten are found, and one box in ten found is none."""
    boxes = random.integers(1, 4, count)
    image = np.repeat(np.arange(count), boxes)
    slot = np.concatenate([np.arange(number) for number in boxes])
    label = random.integers(0, 3, len(image))
    targets = np.full((count, 3, 5), -1.0)
    left = 10.0 * slot  # side by side, so that no box overlaps another
    targets[image, slot] = np.column_stack([label, left, 0 * left, left + 8, 0 * left + 8])
    found = random.random(len(image)) < 0.9
    false = random.random(len(image)) < 0.1
    hits, misses = np.flatnonzero(found), np.flatnonzero(false)
    box = np.vstack([targets[image[hits], slot[hits], 1:], targets[image[misses], slot[misses], 1:] + 30])
    score = np.concatenate([random.beta(4, 2, len(hits)), random.beta(2, 3, len(misses))])
    shown = detection.Boxes(np.append(image[hits], image[misses]), np.append(label[hits], label[misses]), box, score)
    return metrics.bound_detection_metrics(targets, shown)["mean_average_precision"]


def _true_map() -> float:
    return _boxes(np.random.default_rng(1), POPULATION).value


def coverage(chosen: Iterable[Case]) -> pd.DataFrame:
    """How often the interval that the project shows covers the true value, and how often a percentile bootstrap does.

    Returns:
        Columns: metric, samples, truth, count, trials, method, covered and percentile (shares), width and
        percentile_width (medians).
    """
    rows = []
    for case in chosen:
        for count, trials in case.trials.items():
            random = np.random.default_rng(count)
            drawn = [case.draw(random, count) for _ in range(trials)]
            shown = [confidence_interval(metric) for metric in drawn]
            plain = [
                each.interval if each.method == PERCENTILE else bootstrap_interval(*metric)
                for each, metric in zip(shown, drawn, strict=True)
            ]
            row = {
                "metric": case.metric,
                "samples": case.samples,
                "truth": case.truth,
                "count": count,
                "trials": trials,
            }
            row["method"] = " or ".join(sorted({each.method for each in shown}))
            row |= _shares("covered", "width", [each.interval for each in shown], case.truth)
            rows.append(row | _shares("percentile", "percentile_width", plain, case.truth))
    return pd.DataFrame(rows)


def _shares(covered: str, width: str, intervals: Sequence[Interval], truth: float) -> dict[str, float]:
    low, high = np.array(intervals).T
    return {covered: np.mean((low <= truth) & (truth <= high)), width: np.median(high - low)}


def accuracy_coverage(count: int, accuracies: Values) -> Values:
    """The probability with which the interval of an accuracy contains it, computed from the binomial distribution.

    Args:
        count: number of test samples.
        accuracies: the true ones (n,).
    """
    from scipy.stats import binom

    truth, order = np.zeros(count, int), np.arange(count)
    shown = [confidence_interval(BoundMetric(metrics.accuracy, (truth, order >= right))) for right in range(count + 1)]
    low, high = np.array([each.interval for each in shown]).T
    covered = (low <= accuracies[:, np.newaxis]) & (accuracies[:, np.newaxis] <= high)
    exact: Values = np.sum(binom.pmf(np.arange(count + 1), count, accuracies[:, np.newaxis]), axis=1, where=covered)
    return exact


def _accuracy_table() -> str:
    rows = []
    for count in TRIALS:
        for name, (least, most) in WRONG.items():
            wrong = np.geomspace(least, min(most, count * (1 - LOWEST_ACCURACY)), 500)
            found = accuracy_coverage(count, 1 - wrong / count)
            lowest = found.argmin()
            shares = (f"{100 * found.mean():.1f}", f"{100 * found[lowest]:.1f}")
            rows.append((f"{count:,}", name, *shares, f"{wrong[lowest]:.3g}"))
    return markdown_table(("test samples", "wrong predictions expected", "covers, %", "lowest, %", "lowest at"), rows)


def _table(results: pd.DataFrame) -> str:
    rows = [
        (
            row.metric,
            row.samples,
            f"{row.truth:.3g}",
            f"{row.count:,}",
            row.method,
            f"{100 * row.covered:.1f}",
            f"{100 * row.percentile:.1f}",
            f"{200 * np.sqrt(0.95 * 0.05 / row.trials):.1f}",
            f"{row.width:.3g}",
        )
        for row in results.itertuples()
    ]
    shares = ("covers, %", "percentile bootstrap, %", "chance, ± %")
    return markdown_table(("metric", "made-up samples", "true value", "test samples", "method", *shares, "width"), rows)


def main() -> None:
    """Write the results into the page, between its markers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--accuracy", action="store_true", help="only the exact coverage of accuracies")
    only_accuracy = parser.parse_args().accuracy
    fill(PAGE, f"\n{_accuracy_table()}\n", start="<!-- accuracy -->")
    if not only_accuracy:
        fill(PAGE, f"\n{_table(coverage(cases()))}\n")


if __name__ == "__main__":
    main()
