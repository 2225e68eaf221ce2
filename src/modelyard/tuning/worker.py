"""A worker process: runs one trial for each message of the search, and sends back what happens."""

import importlib
import os
import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import numpy as np
import optuna
import psutil

from modelyard.core.processes import end_with_starter, this_process
from modelyard.models import is_estimator
from modelyard.tuning.objective import Objective
from modelyard.tuning.plan import Plan
from modelyard.tuning.storage import StudyStorage


class WorkerReady(NamedTuple):
    """To the search: this worker waits for a trial; `worker` is stored with its trials."""

    worker: str


class TrialStarted(NamedTuple):
    """To the search: a trial started."""

    number: int


class EpochFinished(NamedTuple):
    """To the search: epoch `number` of at most `planned` ended with this score."""

    number: int
    planned: int
    score: float


class TrialFinished(NamedTuple):
    """To the search: a trial ended in state COMPLETE, PRUNED or FAIL; with `retiring` its worker ends as well."""

    number: int
    state: str
    score: float | None
    reason: str
    retiring: bool = False


class RunTrial(NamedTuple):
    """To the worker: run one trial, whose parameters are sampled with this seed."""

    seed: tuple[int, ...]


def work(
    connection: Connection, storage: StudyStorage, study_name: str, plan: Plan, max_memory: int, log: Path
) -> None:
    """Run a trial for each RunTrial until there are none, or until this process holds more than `max_memory` bytes."""
    _set_up_process(log)
    if not is_estimator(plan.experiment.model.family):
        importlib.import_module("keras")  # before the first trial, whose seconds would include it
    objective = Objective(plan, lambda *epoch: _send(connection, EpochFinished(*epoch)))
    study = optuna.load_study(study_name=study_name, storage=storage.open(), pruner=make_pruner(plan))
    _send(connection, WorkerReady(this_process()))
    retiring = False
    while not retiring:
        finished = _run_trial(_receive(connection), connection, study, objective)
        retiring = psutil.Process().memory_info().rss > max_memory
        _send(connection, finished._replace(retiring=retiring))


def make_sampler(seed: tuple[int, ...]) -> optuna.samplers.BaseSampler:
    """TPE for one trial, with its own seed: a replaced worker would otherwise repeat the samples of its start."""
    return optuna.samplers.TPESampler(seed=int(np.random.SeedSequence(seed).generate_state(1)[0]))


def make_pruner(plan: Plan) -> optuna.pruners.BasePruner:
    """Return the pruner that the study names."""
    if plan.study.pruner == "median":
        return optuna.pruners.MedianPruner()
    if plan.study.pruner == "hyperband":
        return optuna.pruners.HyperbandPruner(max_resource=plan.max_steps)
    return optuna.pruners.NopPruner()


def _run_trial(message: RunTrial, connection: Connection, study: optuna.Study, objective: Objective) -> TrialFinished:
    study.sampler = make_sampler(message.seed)
    numbers: list[int] = []

    def objective_with_worker(trial: optuna.Trial) -> float:
        numbers.append(trial.number)
        trial.set_user_attr("worker", this_process())
        _send(connection, TrialStarted(trial.number))
        return objective(trial)

    study.optimize(objective_with_worker, n_trials=1, catch=(Exception,))
    trial = study.get_trials(deepcopy=False)[numbers[0]]
    return TrialFinished(trial.number, trial.state.name, trial.value, trial.user_attrs.get("reason", ""))


def _receive(connection: Connection) -> RunTrial:
    try:
        message: RunTrial = connection.recv()
    except (EOFError, OSError):  # the search has ended
        sys.exit()
    return message


def _send(connection: Connection, message: NamedTuple) -> None:
    """Send to the search; if that has died this process ends, and its trial is retried when the study is resumed."""
    try:
        connection.send(message)
    except OSError:
        sys.exit()


def _set_up_process(log: Path) -> None:
    """Send what libraries print to the log; leave Ctrl-C to the search, which ends this process by SIGTERM."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    end_with_starter()
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for standard in (1, 2):
        os.dup2(file, standard)
