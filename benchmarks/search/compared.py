"""The methods that the benchmark compares, by name."""

from importlib.util import find_spec

from optuna.samplers import CmaEsSampler, RandomSampler

from benchmarks.search.methods import (
    Method,
    epochs_read_off,
    epochs_searched,
    fold_bound,
    halving,
    hyperband,
    late_median,
    median,
    no_pruner,
    optuna_search,
    promote,
    screen,
    screen_then,
    tpe,
    warm_started,
    with_patience,
    worst_quarter,
)
from benchmarks.search.spaces import Space

PLAIN = "TPE"
PLAIN_EPOCHS = "TPE, epochs searched"
MEDIAN = "TPE, median pruner"
CMA_ES = "CMA-ES"  # its package, cmaes, is no dependency of the project
DEFAULT = "TPE, 5 start-up trials"  # of `modelyard tune`, also where the number of epochs is searched:
DEFAULT_EPOCHS = "TPE, 5 start-up trials, epochs read off the curve, median pruner after a third"


def _random(seed: int) -> RandomSampler:
    return RandomSampler(seed)


def _cma_es(seed: int) -> CmaEsSampler:
    return CmaEsSampler(seed=seed, warn_independent_sampling=False)


SAMPLERS = {
    PLAIN: Method(optuna_search(tpe())),
    "random": Method(optuna_search(_random)),
    DEFAULT: Method(optuna_search(tpe(n_startup_trials=5))),
    "TPE, univariate": Method(optuna_search(tpe(multivariate=False))),
    "TPE, grouped": Method(optuna_search(tpe(multivariate=True, group=True))),
    CMA_ES: Method(optuna_search(_cma_es)),
}
"""Every trial in full."""

PRUNERS = {
    MEDIAN: Method(optuna_search(tpe(), median)),
    "random, median pruner": Method(optuna_search(_random, median)),
    **{
        f"TPE, halving from {first} by {factor}": Method(optuna_search(tpe(), halving(first, factor)))
        for first, factor in ((1, 2), (1, 3), (1, 4), (3, 2), (3, 3))
    },
    "random, halving from 1 by 3": Method(optuna_search(_random, halving(1, 3))),
    "TPE, 5 start-up trials, halving from 1 by 3": Method(optuna_search(tpe(n_startup_trials=5), halving(1, 3))),
    "TPE, 5 start-up trials, halving from 3 by 3": Method(optuna_search(tpe(n_startup_trials=5), halving(3, 3))),
    "TPE, median pruner after a third": Method(optuna_search(tpe(), late_median)),
    "TPE, worst quarter pruned": Method(optuna_search(tpe(), worst_quarter)),
    "TPE, 5 start-up trials, median pruner": Method(optuna_search(tpe(n_startup_trials=5), median)),
    "TPE, 5 start-up trials, worst quarter pruned": Method(optuna_search(tpe(n_startup_trials=5), worst_quarter)),
    "TPE, Hyperband": Method(optuna_search(tpe(), hyperband)),
    "TPE, patience 3": Method(optuna_search(tpe(), train=with_patience(3))),
}
"""Trials that end early; each is trained from its first epoch."""

LOOKS = {
    **{
        f"look at {candidates} for {epochs}, best {keep}": Method(screen(candidates, keep, epochs))
        for epochs, candidates, keep in (
            (1, 10, 2),
            (1, 20, 2),
            (1, 20, 5),
            (1, 40, 5),
            (1, 40, 10),
            (1, 80, 10),
            (3, 20, 2),
            (3, 20, 5),
            (3, 40, 5),
        )
    },
    "TPE proposes 40 for 1, best 5": Method(screen(40, 5, 1, tpe())),
    "look at 20 for 1, best 5, then TPE": Method(screen_then(20, 5, 1, tpe(), no_pruner)),
    "look at 20 for 1, best 5, then TPE, median pruner": Method(screen_then(20, 5, 1, tpe(), median)),
    "look at 40 for 1, best 5, then TPE, halving from 3 by 3": Method(screen_then(40, 5, 1, tpe(), halving(3, 3))),
}
"""Many for few epochs, the best of them from the start in full."""

RESUMED = {
    "promote from 1 by 2, resumed": Method(promote(1, 2), resumes=True),
    "promote from 1 by 3, resumed": Method(promote(1, 3), resumes=True),
    "promote from 1 by 3, trained again": Method(promote(1, 3)),
    "promote from 3 by 3, resumed": Method(promote(3, 3), resumes=True),
    "look at 20 for 1, best 5, resumed": Method(screen(20, 5, 1), resumes=True),
    "TPE, median pruner, curves kept": Method(optuna_search(tpe(), median), resumes=True),
    "TPE, halving from 1 by 3, curves kept": Method(optuna_search(tpe(), halving(1, 3)), resumes=True),
}
"""Whole states or curves are kept, so that no epoch is trained twice."""

FOLDS = {
    "TPE, fold bound": Method(optuna_search(tpe(), fold_bound)),
    "TPE, median pruner, also in the first fold": Method(optuna_search(tpe(), median), steps_in_first_fit=True),
    "TPE, halving from 1 by 3, also in the first fold": Method(
        optuna_search(tpe(), halving(1, 3)), steps_in_first_fit=True
    ),
    "TPE, halving from 3 by 3, also in the first fold": Method(
        optuna_search(tpe(), halving(3, 3)), steps_in_first_fit=True
    ),
    "look at 20 for 1, best 5, then TPE, halving from 3 by 3, also in the first fold": Method(
        screen_then(20, 5, 1, tpe(), halving(3, 3)), steps_in_first_fit=True
    ),
}
"""Only where a configuration is scored by folds: when its folds are not all trained."""

GROUPS = {
    "Every trial in full": SAMPLERS,
    "Trials that end early, each trained from its first epoch": PRUNERS,
    "A look at many, the best from their first epoch in full": LOOKS,
    "Trainings that go on where they were, or curves that are kept": RESUMED,
    "Folds that are left out": FOLDS,
}

EPOCHS = {
    PLAIN_EPOCHS: Method(optuna_search(tpe(), train=epochs_searched)),
    "TPE, epochs searched, median pruner": Method(optuna_search(tpe(), median, epochs_searched)),
    "TPE, epochs searched, curves kept": Method(optuna_search(tpe(), train=epochs_searched), resumes=True),
    "TPE, epochs read off the curve": Method(optuna_search(tpe(), train=epochs_read_off)),
    "TPE, 5 start-up trials, epochs read off the curve": Method(
        optuna_search(tpe(n_startup_trials=5), train=epochs_read_off)
    ),
    "TPE, 5 start-up trials, epochs read off the curve, worst quarter pruned": Method(
        optuna_search(tpe(n_startup_trials=5), worst_quarter, epochs_read_off)
    ),
    DEFAULT_EPOCHS: Method(optuna_search(tpe(n_startup_trials=5), late_median, epochs_read_off)),
    "random, epochs read off the curve": Method(optuna_search(_random, train=epochs_read_off)),
    **{
        f"TPE, epochs read off the curve, {name}": Method(optuna_search(tpe(), pruner, epochs_read_off))
        for name, pruner in (
            ("median pruner", median),
            ("median pruner after a third", late_median),
            ("worst quarter pruned", worst_quarter),
            ("halving from 3 by 3", halving(3, 3)),
        )
    },
    **{
        f"look at {candidates} for {epochs}, best {keep}, epochs read off the curve": Method(
            screen(candidates, keep, epochs, reads_off=True)
        )
        for epochs, candidates, keep in ((1, 10, 2), (1, 20, 5), (1, 40, 10), (3, 20, 5))
    },
    "promote from 1 by 2, resumed, epochs read off the curve": Method(promote(1, 2, reads_off=True), resumes=True),
    "promote from 3 by 3, resumed, epochs read off the curve": Method(promote(3, 3, reads_off=True), resumes=True),
}
"""Of spaces with the number of epochs as one more setting, of three values; compared with the first of them."""


WARM_START = {
    PLAIN: SAMPLERS[PLAIN],
    DEFAULT: SAMPLERS[DEFAULT],
    "TPE, 5 start-up trials, warm start": Method(warm_started(tpe(n_startup_trials=5))),
    "TPE, 8 start-up trials, warm start": Method(warm_started(tpe(n_startup_trials=8))),  # five of them at random
}
"""Without and with the best of an earlier search, which is not counted."""


def methods_for(space: Space) -> dict[str, Method]:
    """The methods that apply to a space, and whose packages are installed."""
    return {
        name: each
        for group in GROUPS.values()
        if group is not FOLDS or space.folds
        for name, each in group.items()
        if name != CMA_ES or find_spec("cmaes")
    }


def find_method(name: str, space: Space) -> Method:
    """The method of this name."""
    return (methods_for(space) | EPOCHS | WARM_START)[name]
