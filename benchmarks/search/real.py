"""Runs searches with real trainings until they have the score that plain TPE has after 20 trials in the replay.

The grid, the seeds and the methods are those of the replay, so a real search must take the same way; what is new is
the time that it takes.
"""

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, NamedTuple

from benchmarks.search import table
from benchmarks.search.compared import find_method
from benchmarks.search.ledger import TOLERANCE, Ledger
from benchmarks.search.replay import replay
from benchmarks.search.spaces import find_space
from benchmarks.search.training import Trainer
from benchmarks.tuning_against_plain_optuna import rotated

BUDGET = 40  # full trainings


class TrainingSource:
    """Scores from trainings."""

    def __init__(self, name: str) -> None:
        self._space, self._trainer = find_space(name), Trainer(find_space(name))
        self.fits, self.epochs, self.samples = self._space.fits, self._space.epochs, self._trainer.samples

    def fit(self, row: int, number: int, epochs: int, on_epoch: Callable[[float], None]) -> None:
        """Train, and pass on the scores."""
        values = self._space.configurations[row]
        self._trainer.fit(values, number, epochs, lambda value: on_epoch(self._space.sign * value))


class RealSearch(NamedTuple):
    """A real search beside its replay.

    Attributes:
        seconds: wall time, without the start of the process.
        cpu_seconds: of the process.
        cost: in full trainings.
        score: the best validation metric.
        is_reached: whether it reached its goal.
        is_as_replayed: whether the replay finished the same configurations at the same cost.
    """

    seconds: float
    cpu_seconds: float
    cost: float
    score: float
    is_reached: bool
    is_as_replayed: bool


def run_all(name: str, methods: Sequence[str], seeds: int, goal: float) -> dict[str, list[dict[str, Any]]]:
    """Run each method with each seed, one search at a time, each in a new process; the order rotates with the seed."""
    found: dict[str, list[dict[str, Any]]] = {method: [] for method in methods}
    for seed in range(seeds):
        for method in rotated(list(methods), seed):
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
                done = pool.submit(run, name, method, seed, goal).result()
            found[method].append(done._asdict())
            print(f"{name}, seed {seed}, {method}: {done.seconds:.0f} s, {done.cost:.2f} full trainings", flush=True)
    return found


def run(name: str, method: str, seed: int, goal: float) -> RealSearch:
    """Run one search until it has a score, and compare it with its replay."""
    of = table.load(name)
    ledger = Ledger(TrainingSource(name), BUDGET * of.full_training, goal=of.space.sign * goal)
    wall, cpu = time.monotonic(), time.process_time()
    find_method(method, of.space).search(ledger, of.space, seed)
    seconds, cpu_seconds = time.monotonic() - wall, time.process_time() - cpu
    replayed = replay(find_method(method, of.space), of, seed, BUDGET, of.space.sign * goal).finished
    best = max(each.score for each in ledger.finished)
    return RealSearch(
        seconds=round(seconds, 2),
        cpu_seconds=round(cpu_seconds, 2),
        cost=ledger.spent / of.full_training,
        score=of.space.sign * best,
        is_reached=best >= ledger.goal - TOLERANCE,
        is_as_replayed=[each[::2] for each in replayed] == [each[::2] for each in ledger.finished],
    )
