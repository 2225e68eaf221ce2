"""The search: sends trials to worker processes and replaces workers that die or grow, until the budget is used up."""

import multiprocessing
import re
import time
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState

from modelyard.core.errors import ModelyardError
from modelyard.core.processes import divide_cores, this_process
from modelyard.data.cross_validation import divide_folds
from modelyard.data.inputs import load_training
from modelyard.params.project import Project
from modelyard.tuning import retries, storage
from modelyard.tuning.plan import Plan, make_plan
from modelyard.tuning.storage import StudyStorage
from modelyard.tuning.worker import EpochFinished, RunTrial, TrialFinished, TrialStarted, WorkerReady, work

SPAWN = multiprocessing.get_context("spawn")  # a process that has computed with TensorFlow cannot be forked
POLL_SECONDS = 0.2
STOP_SECONDS = 5.0  # that an interrupted trial gets before it is killed
MAX_MEMORY = 5 * 2**29  # bytes of a worker after a trial
SAME_FAILURES = 5  # in a row, which stop a search
REBUILD, STARTED, DONE = "rebuild", "begun", "done"  # the attribute of a study that is a rebuild, and its values


@dataclass(frozen=True)
class Budget:
    """When a search is over: after this many trials of the study in all, or after this many seconds."""

    n_trials: int
    timeout: float | None = None


class WorkerProcess:
    """A worker process as the search sees it.

    Attributes:
        state: "starting", "idle", "busy", or "retiring" when its memory has grown too much.
        name: its identity, as stored with its trials.
        number: the number of the trial that it runs, None before that has started.
        started: when its trial was sent to it, on the monotonic clock.
        epochs: what its trial reported after each epoch.
    """

    def __init__(self, storage: StudyStorage, study_name: str, plan: Plan, max_memory: int, log: Path) -> None:
        self.connection, theirs = SPAWN.Pipe()
        self.log = log
        self.process: BaseProcess = SPAWN.Process(
            target=work, args=(theirs, storage, study_name, plan, max_memory, log), daemon=True
        )
        self.process.start()
        theirs.close()
        self.state = "starting"
        self.name = ""
        self.number: int | None = None
        self.started = time.monotonic()
        self.epochs: list[EpochFinished] = []

    def run_trial(self, message: RunTrial) -> None:
        """Start a trial in the process."""
        self.state, self.number, self.started, self.epochs = "busy", None, time.monotonic(), []
        with suppress(OSError):  # it has just died, which is noticed when its messages are received
            self.connection.send(message)

    @property
    def exit_reason(self) -> str:
        """How the process ended, with the last line of its log."""
        code = self.process.exitcode or 0
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        last = lines[-1] if lines else self.log
        return f"was killed by signal {-code}" if code < 0 else f"ended with code {code}: {last}"


OnUpdate = Callable[[Sequence[WorkerProcess], Sequence[TrialFinished]], None]


class Search:
    """Worker processes on one study; `on_update` is called with all of them and with the trials that just ended."""

    def __init__(self, study: optuna.Study, storage: StudyStorage, plan: Plan, on_update: OnUpdate) -> None:
        self._study, self._storage, self._plan, self._on_update = study, storage, plan, on_update
        self._workers: list[WorkerProcess] = []
        self._busy: list[int] = []  # the processes among which the cores are divided
        self._finished: list[TrialFinished] = []
        self._failures: list[str] = []
        self._sampled = sum(each.state is not TrialState.WAITING for each in study.get_trials(deepcopy=False))
        self._own_seed: tuple[int, ...] = ()

    def run(self, workers: int, budget: Budget, joined: bool = False, max_memory: int = MAX_MEMORY) -> None:
        """Search until the budget is used up and every trial has ended.

        Args:
            workers: how many processes.
            budget: when no further trial starts.
            joined: whether other searches share the study, so that this one needs seeds of its own.
            max_memory: a worker that holds more bytes after a trial is replaced.

        Raises:
            ModelyardError: the same failure came SAME_FAILURES times in a row, or the storage does not answer.
            KeyboardInterrupt: after every worker was stopped; their trials are enqueued again.
        """
        self._own_seed = (_search_number(),) if joined else ()
        until = time.monotonic() + (budget.timeout or float("inf"))
        with self._storage.explain_errors():
            try:
                while self._assign_trials(workers, budget.n_trials, until, max_memory):
                    self._divide_cores()
                    self._receive()
            finally:
                self._stop()
                self._update()

    def _assign_trials(self, workers: int, trials: int, until: float, max_memory: int) -> bool:
        """Start workers and trials while the budget allows any; return whether something is left to wait for."""
        if len(self._workers) >= workers and all(each.state == "busy" for each in self._workers):
            return True  # without asking the storage: many searches may share it
        left = 0 if time.monotonic() > until else trials - self._count_trials()
        for idle in [each for each in self._workers if each.state == "idle"][: max(0, left)]:
            idle.run_trial(RunTrial((self._plan.study.seed, self._sampled, *self._own_seed)))
            self._sampled, left = self._sampled + 1, left - 1
        starting = sum(each.state == "starting" for each in self._workers)
        for _ in range(min(workers - len(self._workers), left - starting)):
            self._workers.append(self._start_worker(max_memory))
        return left > 0 or any(each.state == "busy" for each in self._workers)

    def _count_trials(self) -> int:
        """The trials that count, with those of our busy workers, whether these are in the storage yet or not."""
        busy = [each.number for each in self._workers if each.state == "busy"]
        others = [
            each
            for each in retries.counted_trials(self._study.get_trials(deepcopy=False))
            if each.number not in busy and (each.state is not TrialState.RUNNING or "worker" in each.user_attrs)
        ]
        return len(busy) + len(others)

    def _start_worker(self, max_memory: int) -> WorkerProcess:
        logs = self._plan.root / ".modelyard" / "studies"
        logs.mkdir(parents=True, exist_ok=True)
        log = logs / f"{self._study.study_name}.log"
        return WorkerProcess(self._storage, self._study.study_name, self._plan, max_memory, log)

    def _divide_cores(self) -> None:
        busy = [each.process.pid for each in self._workers if each.state != "idle" and each.process.pid]
        if busy != self._busy:
            divide_cores(busy)
            self._busy = busy

    def _receive(self) -> None:
        """Handle the messages of the workers, waiting for POLL_SECONDS at most."""
        ready = connection.wait([each.connection for each in self._workers], timeout=POLL_SECONDS)
        for sender in [each for each in self._workers if each.connection in ready]:
            try:
                self._handle(sender, sender.connection.recv())
            except (EOFError, OSError):
                self._remove(sender)
        self._update()

    def _handle(self, sender: WorkerProcess, message: object) -> None:
        match message:
            case WorkerReady():
                sender.state, sender.name = "idle", message.worker
            case TrialStarted():
                sender.number = message.number
            case EpochFinished():
                sender.epochs.append(message)
            case TrialFinished():
                sender.state, sender.number = "retiring" if message.retiring else "idle", None
                self._count_finished(message)

    def _remove(self, gone: WorkerProcess) -> None:
        """Remove a worker that has ended; unless it was retiring, its trial failed and is enqueued again."""
        gone.process.join()
        self._workers.remove(gone)
        if gone.state == "retiring":
            return
        reason = f"its worker {gone.exit_reason}"
        for trial in self._running_trials(gone):
            retries.fail_and_retry(self._study, trial, reason)
        self._count_finished(TrialFinished(-1 if gone.number is None else gone.number, "FAIL", None, reason))

    def _running_trials(self, worker: WorkerProcess) -> list[FrozenTrial]:
        running = self._study.get_trials(deepcopy=False, states=[TrialState.RUNNING])
        return [each for each in running if each.user_attrs.get("worker") == worker.name]

    def _count_finished(self, finished: TrialFinished) -> None:
        self._finished.append(finished)
        self._failures = [*self._failures, _without_numbers(finished.reason)] if finished.state == "FAIL" else []
        last = self._failures[-SAME_FAILURES:]
        if len(last) == SAME_FAILURES and len(set(last)) == 1:
            raise ModelyardError(
                f"stopped: {SAME_FAILURES} trials in a row failed with the same error, {finished.reason}. Finished "
                f"trials are kept: remove the cause or narrow studies.{self._plan.name}.search_space, then run again."
            )

    def _update(self) -> None:
        self._on_update(self._workers, self._finished)
        self._finished = []

    def _stop(self) -> None:
        """End every worker; trials that were running are enqueued again for when the study is resumed."""
        for each in self._workers:
            each.connection.close()
            if each.state != "idle":
                each.process.terminate()
        until = time.monotonic() + STOP_SECONDS
        for each in self._workers:
            each.process.join(max(0.0, until - time.monotonic()))
            each.process.kill()
            each.process.join()
        for each in self._workers:
            for trial in self._running_trials(each):
                retries.fail_and_retry(self._study, trial, "stopped by a person or a program", died=False)
        self._workers = []


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
    study.set_user_attr(REBUILD, STARTED)
    Search(study, location, plan, on_update).run(1, Budget(plan.study.n_trials, plan.study.timeout))
    study.set_user_attr(REBUILD, DONE)
    return study


def _is_unfinished_rebuild(plan: Plan, location: StudyStorage) -> bool:
    """Whether the latest study is a stopped rebuild with the same search space."""
    with location.explain_errors():
        opened = location.open()
        latest = storage.latest_name(plan.name, opened)
        attributes = optuna.load_study(study_name=latest, storage=opened).user_attrs if latest else {}
    return attributes.get(REBUILD) == STARTED and not storage.space_changes(attributes["space"], plan.space)


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
