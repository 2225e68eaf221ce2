"""A process that runs one trial after another for as long as the search hands it turns."""

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

from modelyard.core.processes import this_process
from modelyard.models import is_estimator
from modelyard.tuning.objective import Objective
from modelyard.tuning.plan import Plan
from modelyard.tuning.storage import Place

LIBRARY = "keras"  # imported before the first trial, so that no trial's seconds hold it


class Ready(NamedTuple):
    """A worker waits for its turn; so it signs its trials."""

    worker: str


class Began(NamedTuple):
    """A trial began."""

    number: int


class Epoch(NamedTuple):
    """A trial has come so far."""

    number: int
    of: int
    score: float


class Ended(NamedTuple):
    """A trial ended: state COMPLETE, PRUNED or FAIL, its score if it has one, else the reason.

    A worker that is `full` takes no turn any more.
    """

    number: int
    state: str
    score: float | None
    reason: str
    full: bool = False


class Turn(NamedTuple):
    """Leave to run one trial; `seed` is that of its suggestions."""

    seed: tuple[int, ...]


def work(connection: Connection, place: Place, study_name: str, plan: Plan, most_memory: int, log: Path) -> None:
    """Run a trial for each turn that comes, until there are none or it holds more than `most_memory` bytes."""
    _settle_in(log)
    if not is_estimator(plan.experiment.model.family):
        importlib.import_module(LIBRARY)
    objective = Objective(plan, lambda *figures: _tell(connection, Epoch(*figures)))
    study = optuna.load_study(study_name=study_name, storage=place.open(), pruner=pruner(plan))
    _tell(connection, Ready(this_process()))
    full = False
    while not full:
        ended = _take_turn(_next(connection), connection, study, objective)
        full = psutil.Process().memory_info().rss > most_memory
        _tell(connection, ended._replace(full=full))


def sampler(seed: tuple[int, ...]) -> optuna.samplers.BaseSampler:
    """TPE for one trial: fresh, so that a replaced worker does not suggest anew what was tried at its start."""
    return optuna.samplers.TPESampler(seed=int(np.random.SeedSequence(seed).generate_state(1)[0]))


def pruner(plan: Plan) -> optuna.pruners.BasePruner:
    """What gives trials up."""
    if plan.study.pruner == "median":
        return optuna.pruners.MedianPruner()
    if plan.study.pruner == "hyperband":
        return optuna.pruners.HyperbandPruner(max_resource=plan.most_epochs)
    return optuna.pruners.NopPruner()


def _take_turn(turn: Turn, connection: Connection, study: optuna.Study, objective: Objective) -> Ended:
    """Run one trial; tell when it begins."""
    study.sampler = sampler(turn.seed)
    numbers: list[int] = []

    def tried(trial: optuna.Trial) -> float:
        numbers.append(trial.number)
        trial.set_user_attr("worker", this_process())
        _tell(connection, Began(trial.number))
        return objective(trial)

    study.optimize(tried, n_trials=1, catch=(Exception,))
    ended = study.get_trials(deepcopy=False)[numbers[0]]
    return Ended(ended.number, ended.state.name, ended.value, ended.user_attrs.get("reason", ""))


def _next(connection: Connection) -> Turn:
    try:
        return connection.recv()
    except (EOFError, OSError):  # the search has ended
        sys.exit()


def _tell(connection: Connection, message: NamedTuple) -> None:
    """Tell the search; where it has died this process ends, and the trial is set aside when the study is resumed."""
    try:
        connection.send(message)
    except OSError:
        sys.exit()


def _settle_in(log: Path) -> None:
    """What libraries print goes to the log; Ctrl-C is for the search, which ends this process by SIGTERM."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for standard in (1, 2):
        os.dup2(file, standard)
