"""The search methods that are compared; each goes on until the budget is spent."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import optuna
from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    PercentilePruner,
    SuccessiveHalvingPruner,
)
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from benchmarks.search.ledger import Ledger, OnStep, SearchEnded, Source
from benchmarks.search.spaces import ORDERED, Space
from modelyard.params.study import storage_label
from modelyard.tuning.results import CANDIDATES

EARLIER, EARLIER_TRIALS = 10_000, 20  # the seeds of an earlier search begin there; its trials
MAX_TRIALS = 120  # repeated configurations cost nothing, so that compute alone would not end a search

Run = Callable[[Ledger, Space, int], None]
MakeSampler = Callable[[int], BaseSampler]
MakePruner = Callable[[Ledger], BasePruner]
Train = Callable[[Ledger, optuna.Trial, int, OnStep], float]
"""Trains the configuration of a trial, and returns its score."""


@dataclass(frozen=True)
class Method:
    """A method, and how its trainings are counted (see `Ledger`)."""

    run: Run
    resumes: bool = False
    steps_in_first_fit: bool = False

    def search(self, ledger: Ledger, space: Space, seed: int) -> None:
        """Search until the budget of the ledger is spent, or every configuration is trained."""
        ledger.resumes, ledger.steps_in_first_fit = self.resumes, self.steps_in_first_fit
        with suppress(SearchEnded):
            self.run(ledger, space, seed)


# --- pruners ---


def no_pruner(_: Ledger) -> BasePruner:
    """Every trial ends by itself."""
    return NopPruner()


def median(_: Ledger) -> BasePruner:
    """Optuna's median pruner with its defaults."""
    return MedianPruner()


def late_median(ledger: Ledger) -> BasePruner:
    """The median pruner, after a third of the steps, as `modelyard tune` has it."""
    return MedianPruner(n_warmup_steps=ledger.max_steps // 3)


def worst_quarter(_: Ledger) -> BasePruner:
    """Prune trials that are among the worst quarter of those that came as far."""
    return PercentilePruner(75.0)


def halving(first: int, factor: int) -> MakePruner:
    """Optuna's asynchronous successive halving: of each rung, one in `factor` goes on."""
    return lambda _: SuccessiveHalvingPruner(min_resource=first, reduction_factor=factor)


def hyperband(ledger: Ledger) -> BasePruner:
    """Optuna's Hyperband with its defaults."""
    return HyperbandPruner(max_resource=ledger.max_steps)


def fold_bound(ledger: Ledger) -> BasePruner:
    """Prune trials that can no longer win."""
    return FoldBoundPruner(ledger.source.fits)


class FoldBoundPruner(BasePruner):
    """Prunes a trial that cannot be the best even if each fold that is left scores as well as it ever did.

    Steps are folds, scores the means of those so far.
    """

    def __init__(self, folds: int) -> None:
        self._folds = folds

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Whether the best mean that is possible is no better than the best trial's."""
        complete = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
        finished = np.array([_fold_scores(each) for each in complete if len(each.intermediate_values) == self._folds])
        if not len(finished):
            return False
        own = _fold_scores(trial)
        possible = (sum(own) + finished.max(axis=0)[len(own) :].sum()) / self._folds
        return bool(possible <= finished.mean(axis=1).max())


def _fold_scores(trial: FrozenTrial) -> list[float]:
    totals = [step * mean for step, mean in sorted(trial.intermediate_values.items())]
    return np.diff([0.0, *totals]).tolist()


# --- proposals by Optuna ---


def tpe(**options: Any) -> MakeSampler:
    """TPE with these options of Optuna."""
    return lambda seed: TPESampler(seed=seed, **options)


def in_full(ledger: Ledger, _: optuna.Trial, row: int, on_step: OnStep) -> float:
    """Train to the last epoch."""
    return ledger.train(row, on_step)


def with_patience(patience: int) -> Train:
    """Train until the score has not improved for so many epochs."""
    return lambda ledger, _, row, on_step: ledger.train(row, on_step, patience=patience)


def epochs_searched(ledger: Ledger, trial: optuna.Trial, row: int, on_step: OnStep) -> float:
    """Train for a number of epochs that the sampler proposes as one more setting; of the baseline the largest."""
    ends = epoch_choices(ledger)
    chosen = ends[trial.suggest_int("training.epochs", 0, len(ends) - 1)] if trial.number else ends[-1]
    return ledger.train(row, on_step, ends=(chosen,))


def epochs_read_off(ledger: Ledger, _: optuna.Trial, row: int, on_step: OnStep) -> float:
    """Train for the largest number of epochs, and take the best of the numbers that `epochs_searched` proposes.

    With a constant learning rate a training of few epochs is the beginning of a longer one.
    """
    return ledger.train(row, on_step, ends=epoch_choices(ledger))


def epoch_choices(ledger: Ledger) -> tuple[int, ...]:
    """A third of the epochs, two thirds and all."""
    return tuple(ledger.source.epochs * part // 3 for part in (1, 2, 3))


def optuna_search(sampler: MakeSampler, pruner: MakePruner = no_pruner, train: Train = in_full) -> Run:
    """One trial after the other, the baseline first; the pruner is asked after each step but the last."""

    def run(ledger: Ledger, space: Space, seed: int) -> None:
        study = optuna.create_study(direction="maximize", sampler=sampler(seed), pruner=pruner(ledger))
        study.enqueue_trial(parameters(space, space.row(space.baseline)))
        go_on(study, ledger, space, train)

    return run


def warm_started(sampler: MakeSampler) -> Run:
    """Begin with the best three of an earlier search, as `modelyard tune` does; the earlier one is not counted.

    The earlier search was in a narrower space, the first two values of each setting, with a seed of its own.
    """

    def run(ledger: Ledger, space: Space, seed: int) -> None:
        narrow = replace(space, grid={key: choices[:2] for key, choices in space.grid.items()})
        earlier = Ledger(Narrowed(ledger.source, space, narrow))
        study = optuna.create_study(direction="maximize", sampler=sampler(seed + EARLIER))
        study.enqueue_trial(parameters(narrow, narrow.row(narrow.baseline)))
        for _ in range(EARLIER_TRIALS):
            run_trial(study, earlier, narrow)
        best = sorted(earlier.finished, key=lambda each: -each.score)[:CANDIDATES]
        rows = [space.row(narrow.configurations[each.row]) for each in best]
        study = optuna.create_study(direction="maximize", sampler=sampler(seed))
        for row in dict.fromkeys([space.row(space.baseline), *rows]):
            study.enqueue_trial(parameters(space, row))
        go_on(study, ledger, space)

    return run


class Narrowed:
    """The scores of a narrower space, from those of a wider one."""

    def __init__(self, source: Source, space: Space, narrow: Space) -> None:
        self.fits, self.epochs, self.samples = source.fits, source.epochs, source.samples
        self._source, self._rows = source, [space.row(values) for values in narrow.configurations]

    def fit(self, row: int, number: int, epochs: int, on_epoch: Callable[[float], None]) -> None:
        """Run one fit of a configuration."""
        self._source.fit(self._rows[row], number, epochs, on_epoch)


def go_on(study: optuna.Study, ledger: Ledger, space: Space, train: Train = in_full) -> None:
    """Run trials of a study until the budget is spent."""
    while len(study.get_trials(deepcopy=False)) < MAX_TRIALS:
        run_trial(study, ledger, space, train)


def run_trial(study: optuna.Study, ledger: Ledger, space: Space, train: Train = in_full) -> None:
    """Run one trial, as `modelyard tune` does."""
    trial = study.ask()
    row = suggest(trial, space)

    def report_or_prune(step: int, score: float) -> None:
        trial.report(score, step)
        if step < ledger.max_steps and trial.should_prune():
            raise optuna.TrialPruned

    try:
        study.tell(trial, train(ledger, trial, row, report_or_prune))
    except optuna.TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)


def suggest(trial: optuna.Trial, space: Space) -> int:
    """Sample a configuration; ordered values by their position, as on a logarithmic scale or one with steps."""
    values = {}
    for key, choices in space.grid.items():
        if key in ORDERED:
            values[key] = choices[trial.suggest_int(key, 0, len(choices) - 1)]
        else:
            labels = [storage_label(value) for value in choices]
            values[key] = choices[labels.index(trial.suggest_categorical(key, labels))]
    return space.row(values)


def parameters(space: Space, row: int) -> dict[str, Any]:
    """The parameters of a trial that is given its configuration."""
    values = space.configurations[row]
    labels = space.labels(values)
    return {key: space.grid[key].index(values[key]) if key in ORDERED else labels[key] for key in values}


# --- a look at many, few in full ---


def screen(candidates: int, keep: int, epochs: int, sampler: MakeSampler | None = None, reads_off: bool = False) -> Run:
    """Train many for few epochs and the best of them in full, again and again.

    Args:
        candidates: how many more in each round; those of earlier rounds that were not trained in full compete as well.
        keep: how many of them are trained in full.
        epochs: of the look.
        sampler: proposes the candidates by their scores after `epochs`; default: drawn without repetition.
        reads_off: whether the number of epochs is read off the curve (see `epochs_read_off`).
    """

    def run(ledger: Ledger, space: Space, seed: int) -> None:
        ends = epoch_choices(ledger) if reads_off else ()
        ledger.train(space.row(space.baseline), ends=ends)
        seen: dict[int, float] = {}
        proposals = _drawn(space, seed) if sampler is None else _proposed(space, sampler(seed), seen)
        while True:
            before = ledger.spent
            _look_at_more(ledger, proposals, candidates, epochs, seen)
            done = {each.row for each in ledger.finished}
            for row in [row for row in _best_first(seen) if row not in done][:keep]:
                ledger.train(row, ends=ends)
            if ledger.spent == before:  # every configuration is trained
                return

    return run


def screen_then(candidates: int, keep: int, epochs: int, sampler: MakeSampler, pruner: MakePruner) -> Run:
    """One round of `screen`, whose scores a study is told; it goes on with sampler and pruner."""

    def run(ledger: Ledger, space: Space, seed: int) -> None:
        study = optuna.create_study(direction="maximize", sampler=sampler(seed), pruner=pruner(ledger))
        study.enqueue_trial(parameters(space, space.row(space.baseline)))
        run_trial(study, ledger, space)
        seen: dict[int, float] = {}
        _look_at_more(ledger, _drawn(space, seed), candidates, epochs, seen)
        chosen = _best_first(seen)[:keep]
        distributions = study.get_trials(deepcopy=False)[0].distributions
        step = epochs if ledger.max_steps >= ledger.source.epochs else 0
        for row in seen.keys() - set(chosen):
            study.add_trial(
                optuna.trial.create_trial(
                    state=TrialState.PRUNED,
                    params=parameters(space, row),
                    distributions=distributions,
                    intermediate_values={step: seen[row]},
                )
            )
        for row in chosen:
            study.enqueue_trial(parameters(space, row))
        go_on(study, ledger, space)

    return run


def rungs(ledger: Ledger, first: int, factor: int) -> list[int]:
    """The epochs, of the first fit, after which `promote` compares: first, first x factor, ... below all epochs."""
    found = [first]
    while found[-1] * factor < ledger.source.epochs:
        found.append(found[-1] * factor)
    return found if ledger.source.fits == 1 else [*found, ledger.source.epochs]


def promote(first: int, factor: int, reads_off: bool = False) -> Run:
    """ASHA: each rung's best one in `factor` is trained on to the next rung, else a new configuration is drawn.

    With `reads_off` the number of epochs is read off the curve (see `epochs_read_off`).
    """

    def run(ledger: Ledger, space: Space, seed: int) -> None:
        ends = epoch_choices(ledger) if reads_off else ()
        ledger.train(space.row(space.baseline), ends=ends)
        epochs = rungs(ledger, first, factor)
        scores: list[dict[int, float]] = [{} for _ in epochs]
        proposals = _drawn(space, seed)
        while True:
            rung, row = _next_promotion(scores, ledger, factor)
            row = next(proposals, None) if row is None else row
            if row is None:
                return
            if rung == len(epochs):
                ledger.train(row, ends=ends)
            else:
                scores[rung][row] = ledger.look(row, epochs[rung])

    return run


def _next_promotion(scores: list[dict[int, float]], ledger: Ledger, factor: int) -> tuple[int, int | None]:
    """The highest rung to which a configuration may go, and that configuration; (0, None) if there is none."""
    done = {each.row for each in ledger.finished}
    for rung in reversed(range(len(scores))):
        gone = scores[rung + 1].keys() if rung + 1 < len(scores) else done
        best = _best_first(scores[rung])[: len(scores[rung]) // factor]
        for row in best:
            if row not in gone:
                return rung + 1, row
    return 0, None


def _look_at_more(
    ledger: Ledger, proposals: Iterator[int], candidates: int, epochs: int, seen: dict[int, float]
) -> None:
    for _, row in zip(range(candidates), proposals, strict=False):
        if row not in seen:
            seen[row] = ledger.look(row, epochs)


def _drawn(space: Space, seed: int) -> Iterator[int]:
    """Every configuration once, in random order, without the baseline."""
    order = np.random.default_rng(seed).permutation(len(space.configurations))
    return (int(row) for row in order if row != space.row(space.baseline))


def _proposed(space: Space, sampler: BaseSampler, seen: dict[int, float]) -> Iterator[int]:
    """The proposals of a sampler that is told what was seen; as many as MAX_TRIALS."""
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for _ in range(MAX_TRIALS):
        trial = study.ask()
        row = suggest(trial, space)
        yield row
        study.tell(trial, seen[row])


def _best_first(seen: dict[int, float]) -> list[int]:
    return sorted(seen, key=lambda row: -seen[row])
