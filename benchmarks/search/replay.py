"""Replays searches on the table of a space."""

import math
import multiprocessing
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np
import optuna

from benchmarks.search import table
from benchmarks.search.compared import find_method
from benchmarks.search.ledger import TOLERANCE, Finished, Ledger
from benchmarks.search.methods import Method
from benchmarks.search.table import Table

BUDGET = 50  # full trainings that each search may cost
SEEDS_PER_TASK = 10


class TableSource:
    """Scores from a table; higher is better."""

    def __init__(self, of: Table) -> None:
        self.fits, self.epochs, self.samples = of.space.fits, of.space.epochs, of.samples
        self._curves = np.nan_to_num(of.space.sign * of.curves, nan=-np.inf).tolist()

    def fit(self, row: int, number: int, epochs: int, on_epoch: Callable[[float], None]) -> None:
        """Pass on the scores of a fit."""
        for score in self._curves[row][number][:epochs]:
            on_epoch(score)


@dataclass(frozen=True)
class Search:
    """What one replayed search found, and what it had cost by then."""

    finished: list[Finished]
    spent_after_trial: list[int]

    @property
    def spent(self) -> int:
        """What it cost in all."""
        return max(self.spent_after_trial[-1], self.finished[-1].spent)

    def best_at(self, spent: float) -> Finished:
        """The best finished configuration that had cost no more; the first of equal ones."""
        affordable = [each for each in self.finished if each.spent <= spent]
        return max(affordable, key=lambda each: each.score, default=Finished(0, -math.inf, -1))

    def cost_of(self, score: float) -> float:
        """The cost until this score was reached; infinite if it never was."""
        return next((float(each.spent) for each in self.finished if each.score >= score - TOLERANCE), math.inf)


def replay(method: Method, of: Table, seed: int, budget: float = BUDGET, goal: float = math.inf) -> Search:
    """Replay one search."""
    ledger = Ledger(TableSource(of), budget * of.full_training, goal)
    method.search(ledger, of.space, seed)
    return Search(ledger.finished, ledger.spent_after_trial)


def replay_all(name: str, methods: Iterable[str], seeds: int, workers: int) -> dict[str, list[Search]]:
    """Replay every method on the table of a space, once for each seed."""
    blocks = [range(start, min(start + SEEDS_PER_TASK, seeds)) for start in range(0, seeds, SEEDS_PER_TASK)]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        futures = {method: [pool.submit(_replay_block, name, method, block) for block in blocks] for method in methods}
        found = {}
        for method, parts in futures.items():
            found[method] = [each for part in parts for each in part.result()]
            print(f"{name}: {method}", flush=True)
    return found


def _replay_block(name: str, method: str, seeds: range) -> list[Search]:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    of = _load(name)
    return [replay(find_method(method, of.space), of, seed) for seed in seeds]


@cache
def _load(name: str) -> Table:
    return table.load(name)
