"""The accounts of one search: what it trained, what that cost, and the best score that it had at each cost."""

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

TOLERANCE = 1e-6  # between equal scores: a table has six decimals

Curves = list[list[float]]
"""The scores after each epoch, of each fit so far."""

OnStep = Callable[[int, float], None]
"""Is called with a step, from 1, and a score."""


class Source(Protocol):
    """Where scores come from: a table, or real trainings. Higher scores are better.

    Attributes:
        fits: the number of fits of a full training.
        epochs: the number of epochs of each.
        samples: the number of training samples of each.
    """

    fits: int
    epochs: int
    samples: int

    def fit(self, row: int, number: int, epochs: int, on_epoch: Callable[[float], None]) -> None:
        """Run one fit of a configuration; `on_epoch` gets the score after each epoch, and may raise to end it."""


class Finished(NamedTuple):
    """A configuration that was trained to its end: what the search had cost by then, its score, and its row."""

    spent: int
    score: float
    row: int


class SearchEnded(Exception):
    """The search has spent its budget or reached its goal."""


class EndOfFit(Exception):
    """A fit ends before its last epoch."""


@dataclass
class Ledger:
    """The accounts of one search.

    Cost is counted in sample-epochs: training samples times epochs, of every epoch that was trained, whatever became
    of it. A configuration that is finished costs nothing when a method proposes it again, as in `modelyard tune`. One
    that was not finished is trained again from its first epoch, unless `resumes`.

    Attributes:
        source: where scores come from.
        budget: in sample-epochs; the fit during which it ends is the last.
        goal: a score with which the search ends.
        resumes: whether a training goes on where an earlier one of the same configuration ended.
        steps_in_first_fit: of several fits: whether each epoch of the first is a step, or only the end of each fit.
    """

    source: Source
    budget: float = math.inf
    goal: float = math.inf
    resumes: bool = False
    steps_in_first_fit: bool = False
    spent: int = 0
    finished: list[Finished] = field(default_factory=list)
    spent_after_trial: list[int] = field(default_factory=list)
    _scores: dict[tuple[int, tuple[int, ...]], float] = field(default_factory=dict)
    _trained: dict[int, tuple[int, int]] = field(default_factory=dict)

    @property
    def max_steps(self) -> int:
        """The number of the last step of a full training."""
        if self.source.fits == 1:
            return self.source.epochs
        return self.source.fits * (self.source.epochs if self.steps_in_first_fit else 1)

    def train(
        self, row: int, on_step: OnStep = lambda *_: None, ends: tuple[int, ...] = (), patience: int | None = None
    ) -> float:
        """Train a configuration to its end, and return its score.

        Args:
            row: the configuration.
            on_step: is called after each step; of several fits it gets the mean of those that have ended.
            ends: the numbers of epochs after which the model may be taken; the best of them counts, and one training
                serves all. Default: the last epoch.
            patience: a fit ends when its score has not improved for so many epochs.

        Raises:
            SearchEnded: the budget is spent, or the goal reached.
        """
        try:
            if (row, ends) not in self._scores:
                score = self._train(row, on_step, ends or (self.source.epochs,), patience)
                self._scores[row, ends] = score
                self.finished.append(Finished(self.spent, score, row))
        finally:
            self.spent_after_trial.append(self.spent)
        return self._scores[row, ends]

    def look(self, row: int, epochs: int) -> float:
        """Train the first fit of a configuration for some epochs, and return the score after the last of them.

        Raises:
            SearchEnded: the budget is spent, or the goal reached.
        """
        curves: Curves = []
        self._fit(row, curves, epochs)
        return curves[0][-1]

    def _train(self, row: int, on_step: OnStep, ends: tuple[int, ...], patience: int | None) -> float:
        curves: Curves = []

        def on_epoch() -> None:
            if self.source.fits == 1 or (self.steps_in_first_fit and len(curves) == 1):
                on_step(len(curves[0]), curves[0][-1])
            if patience and _has_stalled(curves[-1], patience):
                raise EndOfFit

        for number in range(1, self.source.fits + 1):
            self._fit(row, curves, max(ends), on_epoch)
            if self.source.fits > 1 and not (self.steps_in_first_fit and number == 1):
                on_step(number * self.max_steps // self.source.fits, _score(curves, ends))
        return _score(curves, ends)

    def _fit(self, row: int, curves: Curves, epochs: int, on_epoch: Callable[[], None] = lambda: None) -> None:
        if self.spent >= self.budget or any(each.score >= self.goal - TOLERANCE for each in self.finished):
            raise SearchEnded
        number, curve = len(curves), list[float]()
        curves.append(curve)

        def count(score: float) -> None:
            self._pay(row, number, len(curve))
            curve.append(score)
            on_epoch()

        with suppress(EndOfFit):
            self.source.fit(row, number, epochs, count)

    def _pay(self, row: int, number: int, epoch: int) -> None:
        if self.resumes and (number, epoch) <= self._trained.get(row, (-1, -1)):
            return
        self._trained[row] = number, epoch
        self.spent += self.source.samples


def _score(curves: Curves, ends: tuple[int, ...]) -> float:
    """The best mean over fits at one of the ends; a fit that ended before it counts with its last epoch."""
    return max(sum(curve[min(end, len(curve)) - 1] for curve in curves) / len(curves) for end in ends)


def _has_stalled(curve: list[float], patience: int) -> bool:
    """Whether the last `patience` scores are no better than the best before them."""
    return len(curve) > patience and max(curve[-patience:]) <= max(curve[:-patience])
