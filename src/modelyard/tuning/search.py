"""The search: hands trials to an engine, and retries those whose process died, until the budget is used up."""

import re
import time
import zlib
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState

from modelyard.core.errors import ModelyardError
from modelyard.core.processes import this_process
from modelyard.data.cross_validation import divide_folds
from modelyard.data.inputs import load_training
from modelyard.orchestration.engine import Call, Ended, Engine, Task
from modelyard.orchestration.local_engine import LocalEngine
from modelyard.params.project import Project
from modelyard.params.variants import digest
from modelyard.tuning import retries, storage
from modelyard.tuning.plan import Plan, make_plan
from modelyard.tuning.results import read_study
from modelyard.tuning.search_lock import only_search
from modelyard.tuning.storage import StudyStorage
from modelyard.tuning.worker import EpochFinished, RunTrial, TrialFinished, TrialStarted, WorkerReady, run_trial

POLL_SECONDS = 0.2
LOOKS = 6  # for trials of other searches, per heartbeat
SAME_FAILURES = 5  # in a row, which stop a search
REBUILD, DONE = "rebuild", "done"  # the attribute of a study that is a rebuild: of which settings, or that it is done


@dataclass(frozen=True)
class Budget:
    """When a search is over: after this many trials of the study in all, or after this many seconds."""

    n_trials: int
    timeout: float | None = None


@dataclass
class SubmittedTrial:
    """A trial that was handed to the engine.

    Attributes:
        started: when it was handed out, then when its process was ready, on the monotonic clock.
        worker: the identity of its process, as stored with the trial; "" before that is ready.
        number: its number, None before it has started.
        epochs: what it reported after each epoch.
    """

    started: float
    worker: str = ""
    number: int | None = None
    epochs: list[EpochFinished] = field(default_factory=list)

    def note(self, message: object) -> None:
        """Keep what its process has reported."""
        match message:
            case WorkerReady():
                self.worker, self.number, self.started, self.epochs = message.worker, None, time.monotonic(), []
            case TrialStarted():
                self.number = message.number
            case EpochFinished():
                self.epochs.append(message)


OnUpdate = Callable[[Collection[SubmittedTrial], Sequence[TrialFinished]], None]


class Search:
    """Trials of one study; `on_update` is called with those that run and with those that have just ended.

    Attributes:
        has_stagnated: whether the last `max_stagnation_trials` trials brought no better score, so that no more start.
    """

    def __init__(self, study: optuna.Study, storage: StudyStorage, plan: Plan, on_update: OnUpdate) -> None:
        self._study, self._storage, self._plan, self._on_update = study, storage, plan, on_update
        self._submitted: dict[str, SubmittedTrial] = {}
        self._finished: list[TrialFinished] = []
        self._failures: list[str] = []
        self._sampled = 0  # seeds of trials so far
        self._seeds_again: list[tuple[int, ...]] = []  # of trials that are retried
        self._key = task_name(study.study_name, storage)
        self._own_seed: tuple[int, ...] = ()
        self._has_changed = True  # whether a trial has ended since the trials were counted
        self._look_at, self._others_run = 0.0, False
        self.has_stagnated = False

    def run(self, engine: Engine, budget: Budget, joined: bool = False) -> None:
        """Search until the budget is used up and every trial has ended.

        Args:
            engine: runs the trials.
            budget: when no further trial starts.
            joined: whether other searches share the study, so that this one needs seeds of its own.

        Raises:
            ModelyardError: the same failure came SAME_FAILURES times in a row, or the storage does not answer.
            KeyboardInterrupt: after every trial was stopped; those that ran are enqueued again.
        """
        self._own_seed = (_search_number(),) if joined else ()
        until = time.monotonic() + (budget.timeout or float("inf"))
        self._prepare(engine)
        with self._storage.explain_errors():
            self._sampled = self._count_seeds(engine)
            try:
                if not joined:
                    self._come_back(engine)
                while self._submit_trials(engine, budget, until) or self._must_wait(budget, until):
                    self._receive(engine)
                    self._update(engine.slots)
            finally:
                self._stop(engine)
                self._update(0)

    def _prepare(self, engine: Engine) -> None:
        """Make the trials such that the engine can run them.

        Raises:
            ModelyardError: its machines cannot reach the storage.
        """
        self._needs: tuple[str, ...] = ()
        self._job = RunTrial(self._storage, self._study.study_name, self._plan, this_process())
        if engine.shares_files:
            return
        storage, root = self._storage, self._plan.root.resolve()
        if storage.is_journal:
            journal = Path(storage.address).resolve()
            if not (engine.shares_folder and journal.is_relative_to(root)):
                raise ModelyardError(
                    f"the study is in a file, {journal}, which the machines of the cluster do not have. Keep it in a "
                    "database that they reach: --storage postgresql+psycopg://user@host/database."
                )
            storage = replace(storage, address=str(journal.relative_to(root)))
        folders = (self._plan.training_folder(name) for name in self._plan.inputs)
        self._needs = tuple(str(folder.relative_to(self._plan.root)) for folder in folders)
        plan = replace(self._plan, root=Path())
        self._job = replace(self._job, storage=storage, plan=plan)

    def _count_seeds(self, engine: Engine) -> int:
        """Count the seeds that are used up.

        Here a retry has the seed of its trial, so that a search that was interrupted samples the same values. A cluster
        knows each task by its seed, so that there the retry has another.
        """
        trials = self._study.get_trials(deepcopy=False)
        if engine.shares_files:
            return len(retries.counted_trials(trials))
        return sum(each.state is not TrialState.WAITING for each in trials)

    def _come_back(self, engine: Engine) -> None:
        """Take up the trials that a cluster has from an earlier search; those that it has lost are retried."""
        for key in engine.taken():
            if key.rpartition(":")[0] == self._key:
                self._submit(engine, _seed_of(key))
        retries.retry_lost_tasks(self._study, self._submitted)

    def _submit_trials(self, engine: Engine, budget: Budget, until: float) -> bool:
        """Hand out trials while the budget and the engine allow any; return whether there is one to wait for."""
        stagnation = self._plan.study.max_stagnation_trials
        room = (engine.slots if budget.timeout or stagnation else engine.capacity) - len(self._submitted)
        if room <= 0 or not self._has_changed:
            return bool(self._submitted)  # without asking the storage: many searches may share it
        self._has_changed = False
        if stagnation:
            self.has_stagnated = read_study(self._study).stagnation_trials >= stagnation
        is_over = self.has_stagnated or time.monotonic() > until
        left = 0 if is_over else budget.n_trials - self._count_trials()
        for _ in range(min(left, room)):
            again = self._seeds_again.pop(0) if self._seeds_again else None
            self._submit(engine, again or (self._plan.study.seed, self._sampled, *self._own_seed))
        return bool(self._submitted)

    def _must_wait(self, budget: Budget, until: float) -> bool:
        """Whether other searches run trials of the budget, which this one repeats if their machine is lost."""
        if self._storage.is_journal or time.monotonic() > until:  # a file has no heartbeats
            return False
        if time.monotonic() > self._look_at:
            trials = retries.counted_trials(self._study.get_trials(deepcopy=False))
            running = [trial for trial in trials if trial.state is TrialState.RUNNING and "worker" in trial.user_attrs]
            self._others_run = bool(running) and len(trials) - len(running) < budget.n_trials
            retries.fail_lost_trials(self._study)
            self._look_at, self._has_changed = time.monotonic() + self._storage.heartbeat / LOOKS, True
        return self._others_run

    def _submit(self, engine: Engine, seed: tuple[int, ...]) -> None:
        key = f"{self._key}:{'-'.join(map(str, seed))}"
        job = replace(self._job, seed=seed, task="" if engine.shares_files else key)
        self._submitted[key] = SubmittedTrial(time.monotonic())
        self._sampled = max(self._sampled, seed[1] + 1)
        engine.submit(Task(key, Call(run_trial, job), needs=self._needs))

    def _count_trials(self) -> int:
        """The trials that count, with those that were handed out, whether these are in the storage yet or not."""
        own = [each.number for each in self._submitted.values()]
        others = [
            each
            for each in retries.counted_trials(self._study.get_trials(deepcopy=False))
            if each.number not in own
            and each.user_attrs.get(retries.TASK) not in self._submitted
            and (each.state is not TrialState.RUNNING or "worker" in each.user_attrs)
        ]
        return len(own) + len(others)

    def _receive(self, engine: Engine) -> None:
        for event in engine.watch(POLL_SECONDS):
            if isinstance(event, Ended):
                self._end(self._submitted.pop(event.key), event, engine)
                self._has_changed = True
            else:
                self._submitted[event.key].note(event.content)

    def _end(self, trial: SubmittedTrial, event: Ended, engine: Engine) -> None:
        """Count a trial that has ended; if its process died, it failed and is enqueued again."""
        if not event.error:
            self._count_finished(event.result)
            return
        retried = [
            retries.fail_and_retry(self._study, each, event.error) for each in self._running_trials(event.key, trial)
        ]
        if all(retried) and engine.shares_files:  # see _count_seeds
            self._seeds_again.append(_seed_of(event.key))
        self._count_finished(TrialFinished(-1 if trial.number is None else trial.number, "FAIL", None, event.error))

    def _running_trials(self, key: str, trial: SubmittedTrial) -> list[FrozenTrial]:
        running = self._study.get_trials(deepcopy=False, states=[TrialState.RUNNING])
        of_worker = [each for each in running if trial.worker and each.user_attrs.get("worker") == trial.worker]
        return of_worker or retries.running_trials(self._study, key)

    def _count_finished(self, finished: TrialFinished) -> None:
        self._finished.append(finished)
        self._failures = [*self._failures, _without_numbers(finished.reason)] if finished.state == "FAIL" else []
        last = self._failures[-SAME_FAILURES:]
        if len(last) == SAME_FAILURES and len(set(last)) == 1:
            raise ModelyardError(
                f"stopped: {SAME_FAILURES} trials in a row failed with the same error, {finished.reason}. Finished "
                f"trials are kept: remove the cause or narrow studies.{self._plan.name}.search_space, then run again."
            )

    def _update(self, slots: int) -> None:
        """Show the trials that run; those that a cluster keeps until there is room are not shown."""
        submitted = self._submitted.values()
        running = [each for each in submitted if each.worker or len(submitted) <= slots]
        self._on_update(running, self._finished)
        self._finished = []

    def _stop(self, engine: Engine) -> None:
        """Stop all trials; those that ran are enqueued again for when the study is resumed."""
        if engine.cancel():
            for key, trial in self._submitted.items():
                for each in self._running_trials(key, trial):
                    retries.fail_and_retry(self._study, each, "stopped by a person or a program", died=False)
        self._submitted = {}


def task_name(study_name: str, storage: StudyStorage) -> str:
    """The beginning of the keys of a study's tasks; a cluster may also work for another database with such a study."""
    return f"{study_name}:{zlib.crc32(storage.safe_address.encode()):08x}"


def _seed_of(key: str) -> tuple[int, ...]:
    """The seed of a task."""
    return tuple(int(number) for number in key.rpartition(":")[2].split("-"))


def study_log(study_name: str, root: Path) -> Path:
    """The file for what the processes of a search print; its folder is made."""
    folder = root / ".modelyard" / "studies"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{study_name}.log"


def rebuild_study(project: Project, name: str, root: Path, on_update: OnUpdate) -> optuna.Study:
    """Run a whole search as a DVC stage: in a new study with one worker, so that it is reproducible.

    A rebuild that was stopped is resumed in its study.

    Raises:
        ModelyardError: the samples do not suffice for the folds, the storage does not answer, or the same failure
            comes too often.
    """
    plan = make_plan(project, name, root)
    check_folds(plan)
    location = storage.find_storage(name, None, root)
    study = storage.open_study(plan, location, new=not _is_unfinished_rebuild(plan, location))
    study.set_user_attr(REBUILD, _settings_digest(plan))
    with (
        only_search(study.study_name, root),
        closing(LocalEngine(1, log=study_log(study.study_name, root))) as engine,
    ):
        Search(study, location, plan, on_update).run(engine, Budget(plan.study.n_trials, plan.study.timeout))
    study.set_user_attr(REBUILD, DONE)
    return study


def _is_unfinished_rebuild(plan: Plan, location: StudyStorage) -> bool:
    """Whether the latest study is a stopped rebuild with the same settings."""
    with location.explain_errors():
        opened = location.open()
        latest = storage.latest_name(plan.name, opened)
        attributes = optuna.load_study(study_name=latest, storage=opened).user_attrs if latest else {}
    return bool(attributes.get(REBUILD) == _settings_digest(plan))


def _settings_digest(plan: Plan) -> str:
    """A hash of everything that the trials of a rebuild follow from."""
    return digest([plan.space, plan.study.model_dump(mode="json"), plan.runtime.model_dump(mode="json")])


def check_folds(plan: Plan) -> None:
    """Refuse folds for which the samples of an input do not suffice: else each trial would fail on its own.

    Raises:
        ModelyardError: there are too few samples, groups or samples of a class.
    """
    if plan.study.folds:
        for name in plan.inputs:
            divide_folds(load_training(plan.training_folder(name)), plan.study.folds, plan.study.seed)


def _search_number() -> int:
    """A number that no other search has; the process id alone is 1 in every container."""
    return zlib.crc32(this_process().encode())


def _without_numbers(reason: str) -> str:
    """A failure without the numbers in which two of the same kind differ."""
    return re.sub(r"\d+(\.\d+)?", "#", reason)
