"""Which trials are retried, how often, and which count towards the budget."""

import optuna
import pytest
from optuna.trial import TrialState

from modelyard.core.processes import this_process
from modelyard.tuning import retries
from modelyard.tuning.retries import (
    MAX_DEATHS,
    counted_trials,
    fail_and_retry,
    retry_abandoned_trials,
    retry_failed_baseline,
)

DEAD = f"{this_process().rpartition(':')[0]}:1"  # this process id, started at another time


@pytest.fixture
def study() -> optuna.Study:
    """A study in memory."""
    return optuna.create_study()


def started(study: optuna.Study, worker: str | None = None) -> optuna.trial.FrozenTrial:
    trial = study.ask()
    trial.suggest_int("depth", 1, 9)
    if worker:
        trial.set_user_attr("worker", worker)
    return study.trials[trial.number]


def test_a_failed_trial_has_its_reason_and_is_enqueued_with_its_parameters(study):
    trial = started(study)
    fail_and_retry(study, trial, "killed")
    failed, retry = study.trials
    assert (failed.state, failed.user_attrs["reason"]) == (TrialState.FAIL, "killed")
    assert (retry.state, retry.user_attrs) == (TrialState.WAITING, {"again": 0, "losses": 1})
    assert started(study).params == trial.params


def test_parameters_are_retried_until_max_deaths(study):
    for _ in range(MAX_DEATHS):
        fail_and_retry(study, started(study), "killed")
    assert [trial.state for trial in study.trials] == [TrialState.FAIL] * MAX_DEATHS


def test_a_stopped_trial_does_not_count_as_a_death(study):
    for _ in range(2 * MAX_DEATHS):
        fail_and_retry(study, started(study), "stopped", died=False)
    assert study.trials[-1].state is TrialState.WAITING


def test_a_trial_that_ends_while_it_is_failed_is_not_retried(study, monkeypatch):
    trial = started(study)
    monkeypatch.setattr(study._storage, "set_trial_user_attr", lambda *_: study.tell(trial.number, 1.0))
    fail_and_retry(study, trial, "killed")
    assert [each.state for each in study.trials] == [TrialState.COMPLETE]


def test_a_trial_that_has_ended_meanwhile_is_not_retried(study):
    trial = started(study)
    study.tell(trial.number, 1.0)
    fail_and_retry(study, trial, "killed")
    assert [each.state for each in study.trials] == [TrialState.COMPLETE]


@pytest.mark.parametrize(
    ("worker", "all_hosts", "is_retried"),
    [
        (this_process(), True, False),
        (DEAD, False, True),
        ("another-machine:1:0", False, False),
        ("another-machine:1:0", True, True),
        (None, True, False),
    ],
    ids=["alive", "dead", "on another host", "on another host of all hosts", "unsigned"],  # the ids of processes vary
)
def test_trials_of_dead_workers_are_retried_on_resume(study, worker, all_hosts, is_retried):
    started(study, worker)
    retry_abandoned_trials(study, all_hosts)
    assert (study.trials[0].state is TrialState.FAIL) == is_retried
    assert len(study.trials) == 1 + is_retried


def test_an_old_trial_that_no_worker_signed_is_retried(study, monkeypatch):
    started(study)
    monkeypatch.setattr(retries, "NO_WORKER_SECONDS", -1.0)
    retry_abandoned_trials(study, all_hosts=False)
    assert study.trials[0].state is TrialState.FAIL


def test_retried_and_waiting_trials_do_not_count_towards_the_budget(study):
    fail_and_retry(study, started(study), "killed")
    assert counted_trials(study.get_trials()) == []
    started(study)
    assert [trial.number for trial in counted_trials(study.get_trials())] == [1]


@pytest.mark.parametrize(
    "reason, is_retried", [("OSError: disk full", True), ("TrainingDiverged: the loss became nan", False)]
)
def test_a_baseline_that_failed_is_trained_again_unless_it_diverged(study, reason, is_retried):
    for depth, why in ((3, reason), (4, "of another trial")):
        study.enqueue_trial({"depth": depth})
        fail(study, started(study), why)
    retry_failed_baseline(study)
    waiting = [trial for trial in study.trials if trial.state is TrialState.WAITING]
    assert [trial.system_attrs["fixed_params"] for trial in waiting] == [{"depth": 3}] * is_retried
    assert [trial.number for trial in counted_trials(study.trials)] == ([1] if is_retried else [0, 1])
    retry_failed_baseline(study)
    assert len(study.trials) == 2 + is_retried, "it waits already"


def test_a_baseline_that_an_earlier_version_pruned_is_trained_again(study):
    study.enqueue_trial({"depth": 3})
    study.tell(started(study).number, state=TrialState.PRUNED)
    retry_failed_baseline(study)
    assert [trial.state for trial in study.trials] == [TrialState.PRUNED, TrialState.WAITING]


def test_a_baseline_that_has_finished_is_not_trained_again(study):
    study.enqueue_trial({"depth": 3})
    fail_and_retry(study, started(study), "killed")
    study.tell(started(study).number, 1.0)
    retry_failed_baseline(study)
    assert [trial.state for trial in study.trials] == [TrialState.FAIL, TrialState.COMPLETE]


def fail(study: optuna.Study, trial: optuna.trial.FrozenTrial, reason: str) -> None:
    study._storage.set_trial_user_attr(trial._trial_id, "reason", reason)
    study.tell(trial.number, state=TrialState.FAIL)
