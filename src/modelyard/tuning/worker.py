"""One trial in a worker process, which reports what happens to the search."""

import importlib
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import optuna

from modelyard.core.processes import this_process
from modelyard.models import is_estimator
from modelyard.orchestration.worker_process import report
from modelyard.params.study import START_UP_TRIALS
from modelyard.tuning import retries
from modelyard.tuning.objective import Objective
from modelyard.tuning.plan import Plan
from modelyard.tuning.storage import StudyStorage


class WorkerReady(NamedTuple):
    """A process is about to start a trial; `worker` is stored with it."""

    worker: str


class TrialStarted(NamedTuple):
    """A trial started."""

    number: int


class EpochFinished(NamedTuple):
    """Epoch `number` of at most `planned` ended with this score."""

    number: int
    planned: int
    score: float


class TrialFinished(NamedTuple):
    """A trial ended in state COMPLETE, PRUNED or FAIL."""

    number: int
    state: str
    score: float | None
    reason: str


@dataclass(frozen=True)
class RunTrial:
    """One trial of a study, whose parameters are sampled with this seed.

    `search` is the process that hands it out. `task` is its key where a cluster runs it, and runs it again if a worker
    is lost; it is stored with the trial.
    """

    storage: StudyStorage
    study_name: str
    plan: Plan
    search: str
    seed: tuple[int, ...] = ()
    task: str = ""


@dataclass(frozen=True)
class _Opened:
    """A study as this process has it, for all trials of a search.

    For another search it is opened again: the storage may have been deleted and made again, while this process lived.
    """

    job: RunTrial
    study: optuna.Study
    objective: Objective


_opened: list[_Opened] = []  # the last one


def run_trial(job: RunTrial) -> TrialFinished:
    """Run one trial and store it in its study."""
    opened = _open(job)
    study, worker = opened.study, this_process()
    study.sampler = make_sampler(job.seed)
    numbers: list[int] = []

    def objective_with_worker(trial: optuna.Trial) -> list[float]:
        numbers.append(trial.number)
        trial.set_user_attr("worker", worker)
        if job.task:
            trial.set_user_attr(retries.TASK, job.task)
        report(TrialStarted(trial.number))
        return opened.objective(trial)

    if job.task:
        for lost in retries.running_trials(study, job.task):
            retries.fail_and_retry(study, lost, "its worker was lost")
    report(WorkerReady(worker))
    study.optimize(objective_with_worker, n_trials=1, catch=(Exception,))
    trial = study.get_trials(deepcopy=False)[numbers[0]]
    score = float(trial.values[0]) if trial.values else None
    return TrialFinished(trial.number, trial.state.name, score, trial.user_attrs.get("reason", ""))


def make_sampler(seed: tuple[int, ...]) -> optuna.samplers.BaseSampler:
    """TPE for one trial, with its own seed: a replaced worker would otherwise repeat the samples of its start."""
    number = int(np.random.SeedSequence(seed).generate_state(1)[0])
    return optuna.samplers.TPESampler(seed=number, n_startup_trials=START_UP_TRIALS)


def make_pruner(plan: Plan) -> optuna.pruners.BasePruner:
    """Return the pruner of a study."""
    if plan.pruner == "median":
        # In the first third of the steps, the best may be among the worst.
        return optuna.pruners.MedianPruner(n_warmup_steps=plan.max_steps // 3)
    if plan.pruner == "hyperband":
        return optuna.pruners.HyperbandPruner(max_resource=plan.max_steps)
    return optuna.pruners.NopPruner()


def _open(job: RunTrial) -> _Opened:
    """Open a study once for all trials of this process, and import what they need before the first one's time runs."""
    wanted = replace(job, seed=(), task="")
    if _opened and _opened[0].job == wanted:
        return _opened[0]
    if not is_estimator(job.plan.experiment.model.family):
        importlib.import_module("keras")
    study = optuna.load_study(study_name=job.study_name, storage=job.storage.open(), pruner=make_pruner(job.plan))
    objective = Objective(job.plan, lambda *epoch: report(EpochFinished(*epoch)))
    _opened[:] = [_Opened(wanted, study, objective)]
    return _opened[0]
