"""Trials whose worker died: marked as failed with the reason, and their parameters enqueued again."""

import warnings
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from modelyard.core.processes import has_died, is_on_this_host

MAX_DEATHS = 3  # of workers on the same parameters: then the trial itself kills them, by its memory for example
TASK = "task"  # the attribute of a trial that runs on a cluster: the key of its task
DIVERGED = "TrainingDiverged"  # begins the reason: the name of the error in models.engine, which imports Keras
NO_WORKER_SECONDS = 60.0  # a new trial is in the storage a moment before its attribute `worker` is


def fail_and_retry(study: optuna.Study, trial: FrozenTrial, reason: str, died: bool = True) -> bool:
    """Mark a running trial as failed for this reason, and enqueue its parameters again; return whether that was done.

    Args:
        study: the trial's study.
        trial: a running trial of another process.
        reason: stored as the trial's attribute `reason`.
        died: whether this counts towards MAX_DEATHS; not when the search was stopped on purpose.
    """
    try:
        # Optuna has no public way to set an attribute of another process's trial.
        study._storage.set_trial_user_attr(trial._trial_id, "reason", reason)
    except optuna.exceptions.UpdateFinishedTrialError:
        return False  # it has ended meanwhile
    if study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True).state is not TrialState.FAIL:
        return False
    enqueue_retry(study, trial, died)
    return _deaths(trial, died) < MAX_DEATHS


def enqueue_retry(study: optuna.Study, trial: FrozenTrial, died: bool = True) -> None:
    """Enqueue a failed trial's parameters again, unless MAX_DEATHS workers died on them.

    In place of Optuna's RetryHeartbeatStaleTrialCallback, which copies the dead worker's attributes into the new trial,
    where a live trial would be taken for a dead one, and counts no death that was seen without a heartbeat.
    """
    deaths = _deaths(trial, died)
    if deaths < MAX_DEATHS:
        parameters = trial.system_attrs.get("fixed_params", {}) | trial.params
        study.enqueue_trial(parameters, user_attrs={"again": trial.number, "losses": deaths})


def running_trials(study: optuna.Study, task: str) -> list[FrozenTrial]:
    """Return the running trials of a task of a cluster."""
    running = study.get_trials(deepcopy=False, states=[TrialState.RUNNING])
    return [trial for trial in running if trial.user_attrs.get(TASK) == task]


def fail_lost_trials(study: optuna.Study) -> None:
    """Fail the running trials without a heartbeat, and retry them; a new trial does this as well."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        optuna.storages.fail_stale_trials(study)


def retry_lost_tasks(study: optuna.Study, taken: Collection[str]) -> None:
    """Fail and retry the running trials whose task the cluster does not have any more."""
    for trial in study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
        if TASK in trial.user_attrs and trial.user_attrs[TASK] not in taken:
            fail_and_retry(study, trial, "the cluster has lost it")


def retry_abandoned_trials(study: optuna.Study, all_hosts: bool) -> None:
    """Fail and retry the running trials whose worker on this machine is dead, on resuming a study.

    Args:
        study: the study that is resumed.
        all_hosts: whether trials of other machines count as abandoned too.
    """
    for trial in study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
        if _is_abandoned(trial, all_hosts):
            fail_and_retry(study, trial, "its worker was gone when the study was resumed")


def retry_failed_baseline(study: optuna.Study) -> None:
    """Enqueue the values of trial 0 again if it has failed, unless its training diverged, which it would again.

    Every comparison of the study is with the baseline, and what made it fail may have been mended since. Earlier
    versions could prune it.
    """
    found = baseline_trials(study.get_trials(deepcopy=False))
    if {trial.state for trial in found} <= {TrialState.FAIL, TrialState.PRUNED} and not has_diverged(found[-1]):
        study.enqueue_trial(enqueued_values(found[0]), user_attrs={"again": found[-1].number})


def baseline_trials(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Return trial 0 and those that were enqueued with its values again, in any state."""
    return [trial for trial in trials if enqueued_values(trial) == enqueued_values(trials[0])]


def enqueued_values(trial: FrozenTrial) -> dict[str, Any]:
    """Return the values that a trial was enqueued with; `params` holds all of them only once it has started."""
    return dict(trial.system_attrs.get("fixed_params", trial.params))


def has_diverged(trial: FrozenTrial) -> bool:
    """Whether a trial failed because its loss became infinite or NaN."""
    return str(trial.user_attrs.get("reason", "")).startswith(DIVERGED)


def counted_trials(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Return the trials that count towards the budget: all that started, but not those that were retried."""
    retried = {trial.user_attrs.get("again") for trial in trials}
    return [trial for trial in trials if trial.state is not TrialState.WAITING and trial.number not in retried]


def _deaths(trial: FrozenTrial, died: bool) -> int:
    return int(trial.user_attrs.get("losses", 0)) + died


def _is_abandoned(trial: FrozenTrial, all_hosts: bool) -> bool:
    worker = trial.user_attrs.get("worker")
    if worker is None:
        started = trial.datetime_start or datetime.now()
        return (datetime.now() - started).total_seconds() > NO_WORKER_SECONDS
    return has_died(worker) or (all_hosts and not is_on_this_host(worker))
