"""Trials whose worker died: failed with the reason, and their parameters enqueued again."""

from datetime import datetime

import optuna
from optuna.trial import FrozenTrial, TrialState

from modelyard.core.processes import has_died, is_on_this_host

MOST_LOSSES = 3  # then it is the trial that kills its workers, as one too large for the memory does
GAP_SECONDS = 60.0  # a trial is in the storage a moment before it says whose it is


def set_aside(study: optuna.Study, trial: FrozenTrial, reason: str, counts: bool = True) -> None:
    """Fail a running trial for this reason and enqueue its parameters again; one that a person stopped counts not."""
    try:
        study._storage.set_trial_user_attr(trial._trial_id, "reason", reason)  # Optuna has no door for another's trial
        study.tell(trial.number, state=TrialState.FAIL)
    except optuna.exceptions.UpdateFinishedTrialError:
        return  # it had just ended
    enqueue_again(study, trial, counts)


def enqueue_again(study: optuna.Study, trial: FrozenTrial, counts: bool = True) -> None:
    """Have a failed trial's parameters tried again, unless they were lost too often."""
    losses = trial.user_attrs.get("losses", 0) + counts
    if losses < MOST_LOSSES:
        parameters = trial.system_attrs.get("fixed_params", {}) | trial.params
        study.enqueue_trial(parameters, user_attrs={"again": trial.number, "losses": losses})


def set_stale_aside(study: optuna.Study, everywhere: bool) -> int:
    """Set aside the running trials whose worker on this machine is dead; `everywhere` counts all machines as this one.

    Returns how many there were.
    """
    stale = [
        trial for trial in study.get_trials(deepcopy=False, states=[TrialState.RUNNING]) if _is_stale(trial, everywhere)
    ]
    for trial in stale:
        set_aside(study, trial, "its worker was gone when the search was taken up again")
    return len(stale)


def used_up(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that count: all that began, but not those whose parameters were enqueued again."""
    trials = study.get_trials(deepcopy=False)
    again = {trial.user_attrs.get("again") for trial in trials}
    return [trial for trial in trials if trial.state is not TrialState.WAITING and trial.number not in again]


def _is_stale(trial: FrozenTrial, everywhere: bool) -> bool:
    worker = trial.user_attrs.get("worker")
    if worker is None:
        return (datetime.now() - trial.datetime_start).total_seconds() > GAP_SECONDS
    return has_died(worker) or (everywhere and not is_on_this_host(worker))
