"""What is measured of replayed searches; fixed before the first replay.

- The cost until a search has the score that plain TPE has after 20 and after 40 trials, the median over plain TPE's
  searches. Cost is in full trainings: sample-epochs divided by those of one configuration trained to its end.
- The share of searches that never get there.
- The best score at the cost of plain TPE's 20 and 40 trials, and by how much it is better than plain TPE's own.
- The winner's metric on test samples at that cost, which chooses nothing.

- The geometric mean of the ratios over spaces and targets; its interval is that of the default methods only.
- Of a stop rule: how much of the search is saved by ending it after so many trials without a better score, and the
  score that is missed; means over the searches.

Intervals are 95 % percentile bootstrap intervals over the seeds, which are resampled together for a method and plain
TPE; those of shares are exact binomial intervals.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from benchmarks.search.compared import DEFAULT, DEFAULT_EPOCHS, PLAIN, PLAIN_EPOCHS
from benchmarks.search.ledger import TOLERANCE
from benchmarks.search.replay import BUDGET, Search
from benchmarks.search.table import Table

TRIALS = (20, 40)  # of plain TPE
RESAMPLES = 2000
POINTS = 101  # of each curve
STOPPED = (PLAIN, DEFAULT, DEFAULT_EPOCHS)  # the methods with a stop rule
DRAWN = (PLAIN, PLAIN_EPOCHS, DEFAULT, DEFAULT_EPOCHS)  # the methods whose curves have quartiles
PATIENCES = (10, 20, 30)  # trials without a better score, after which a search may end

Array = npt.NDArray[np.float64]
Found = dict[str, Any]


def measure(of: Table, searches: Mapping[str, list[Search]], plain: str = PLAIN) -> Found:
    """Everything that is measured on a table, by method; `plain` is the one that the others are compared with."""
    full = of.full_training
    targets = [Target(of, searches[plain], trials, full) for trials in TRIALS]
    return {
        "full_training": full,
        "best_of_table": float(np.max(of.space.sign * of.scores)) * of.space.sign,
        "targets": {str(target.trials): target.found for target in targets},
        "methods": {
            name: {
                **{str(target.trials): target.compare(found) for target in targets},
                "curve": _curve(of, found, 0.5),
                **({"quartiles": [_curve(of, found, share) for share in (0.25, 0.75)]} if name in DRAWN else {}),
                **({"stop": [stop_rule(found, patience) for patience in PATIENCES]} if name in STOPPED else {}),
            }
            for name, found in searches.items()
        },
    }


def mean_ratio(spaces: Iterable[tuple[Table, list[Search], list[Search]]]) -> list[float | None]:
    """The geometric mean of the ratios over spaces and targets with its bootstrap interval.

    Args:
        spaces: of each space the table, the searches of plain TPE and those of a method.
    """
    random, all_seeds, resampled = np.random.default_rng(0), [], []
    for of, plain, searches in spaces:
        drawn = random.integers(len(plain), size=(RESAMPLES, len(plain)))
        for trials in TRIALS:
            target = Target(of, plain, trials, of.full_training)
            all_seeds.append(target.ratio(searches, np.arange(len(plain))))
            resampled.append(target.ratio(searches, drawn))
    means = np.exp(np.mean(np.log(resampled), axis=0))
    ends = np.quantile(means, (0.025, 0.975), method="nearest")
    return [_number(each) for each in (np.exp(np.mean(np.log(all_seeds))), *ends)]


def stop_rule(searches: list[Search], patience: int) -> Found:
    """End each search after `patience` trials in a row without a better score: what is saved and missed."""
    ends = [_end(search, patience) for search in searches]
    saved = [1 - end / search.spent for end, search in zip(ends, searches, strict=True)]
    missed = [
        search.best_at(search.spent).score - search.best_at(end).score
        for end, search in zip(ends, searches, strict=True)
    ]
    return {"patience": patience, "saved": _number(np.mean(saved)), "missed": _number(np.mean(missed))}


def _curve(of: Table, searches: list[Search], share: float) -> list[float | None]:
    """A quantile of the best metric at each of POINTS costs; None where it is infinite."""
    costs = np.linspace(0, BUDGET, POINTS) * of.full_training
    scores = np.array([[each.best_at(cost).score for each in searches] for cost in costs])
    with np.errstate(invalid="ignore"):
        return [_number(of.space.sign * each) for each in np.quantile(scores, share, axis=1)]


def _end(search: Search, patience: int) -> int:
    """What a search has cost when so many trials have brought no better score."""
    best, without = -math.inf, 0
    for spent in search.spent_after_trial:
        score = search.best_at(spent).score
        best, without = (score, 0) if score > best + TOLERANCE else (best, without + 1)
        if without == patience:
            return spent
    return search.spent


class Target:
    """The score that plain TPE has after some trials, and what that had cost."""

    def __init__(self, of: Table, plain: list[Search], trials: int, full: int) -> None:
        self.trials, self._of, self._full = trials, of, full
        costs = [each.spent_after_trial[trials - 1] for each in plain]
        self._cost = float(np.median(costs))
        self._score = float(np.median([each.best_at(cost).score for each, cost in zip(plain, costs, strict=True)]))
        self._plain = plain

    @property
    def found(self) -> Found:
        """The target itself."""
        share = np.mean(self._of.space.sign * self._of.scores >= self._score - TOLERANCE)
        return {
            "score": self._of.space.sign * self._score,
            "cost": self._cost / self._full,
            "share_of_table": float(share),
        }

    def compare(self, searches: list[Search]) -> Found:
        """Compare searches with plain TPE's."""
        costs = self._costs(searches)
        never = int(np.isinf(costs).sum())
        sign = self._of.space.sign
        share = binomtest(never, len(costs)).proportion_ci()
        score, test = self._winners(searches)
        plain_score, plain_test = self._winners(self._plain)
        return {
            "cost": _interval(lambda drawn: np.median(costs[drawn], axis=-1), len(costs)),
            "ratio": _interval(lambda drawn: self.ratio(searches, drawn), len(costs)),
            "never": [never / len(costs), float(share.low), float(share.high)],
            "score": _interval(lambda drawn: score[drawn].mean(axis=-1), len(costs)),
            "gain": _interval(lambda drawn: sign * (score - plain_score)[drawn].mean(axis=-1), len(costs)),
            "test": _interval(lambda drawn: test[drawn].mean(axis=-1), len(costs)),
            "test_gain": _interval(lambda drawn: sign * (test - plain_test)[drawn].mean(axis=-1), len(costs)),
        }

    def ratio(self, searches: list[Search], drawn: npt.NDArray[np.intp]) -> Array:
        """The median cost of the drawn seeds, divided by plain TPE's of the same seeds."""
        costs, plain_costs = (self._costs(each)[drawn] for each in (searches, self._plain))
        return np.asarray(np.median(costs, axis=-1) / np.median(plain_costs, axis=-1))

    def _costs(self, searches: list[Search]) -> Array:
        return np.array([each.cost_of(self._score) / self._full for each in searches])

    def _winners(self, searches: list[Search]) -> tuple[Array, Array]:
        """The metric on validation and on test samples of each search's winner at the target's cost."""
        best = [each.best_at(self._cost) for each in searches]
        return self._of.space.sign * np.array([each.score for each in best]), self._of.test[[each.row for each in best]]


def _interval(statistic: Callable[[npt.NDArray[np.intp]], Array], seeds: int) -> list[float | None]:
    """The statistic of all seeds and the ends of its bootstrap interval; None for infinity."""
    drawn = np.random.default_rng(0).integers(seeds, size=(RESAMPLES, seeds))
    with np.errstate(invalid="ignore"):
        ends = np.quantile(statistic(drawn), (0.025, 0.975), method="nearest")
        return [_number(each) for each in (statistic(np.arange(seeds)), *ends)]


def _number(value: Any) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None
