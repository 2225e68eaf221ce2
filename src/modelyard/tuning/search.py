"""The search: hands turns to worker processes, replaces those that die or grow, and knows when it is over."""

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
from optuna.trial import TrialState

from modelyard.core.errors import ModelyardError
from modelyard.core.processes import this_process
from modelyard.tuning import retries, worker
from modelyard.tuning.plan import Plan
from modelyard.tuning.storage import Place

SPAWN = multiprocessing.get_context("spawn")  # a process that has computed with TensorFlow cannot be forked
LOOK_SECONDS = 0.2
STOP_SECONDS = 5.0  # granted to an interrupted trial before it is killed
MOST_MEMORY = 5 * 2**29  # bytes of a worker after a trial
SAME_FAILURES = 5


@dataclass(frozen=True)
class Budget:
    """When a search is over: at so many trials of the study in all, or when so many seconds have passed."""

    trials: int
    seconds: float | None = None


class Worker:
    """A worker process as the search sees it; `number`, `epoch`, `of` and `score` are its trial's."""

    def __init__(self, place: Place, study_name: str, plan: Plan, most_memory: int, log: Path) -> None:
        self.connection, theirs = SPAWN.Pipe()
        self.log = log
        self.process: BaseProcess = SPAWN.Process(
            target=worker.work, args=(theirs, place, study_name, plan, most_memory, log), daemon=True
        )
        self.process.start()
        theirs.close()
        self.state = "starting"
        self.name = ""
        self.number: int | None = None
        self.began = time.monotonic()
        self.progress = worker.Epoch(0, 0, 0.0)

    def give(self, turn: worker.Turn) -> None:
        """Have it run a trial."""
        self.state, self.number, self.began, self.progress = "busy", None, time.monotonic(), worker.Epoch(0, 0, 0.0)
        with suppress(OSError):  # it has just died, which is noticed where workers are listened to
            self.connection.send(turn)

    @property
    def last_words(self) -> str:
        """How its process ended, and the end of its log."""
        code = self.process.exitcode or 0
        said = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return f"killed by signal {-code}" if code < 0 else f"ended with code {code}: {said[-1] if said else self.log}"


Watch = Callable[[Sequence[Worker], Sequence[worker.Ended]], None]


class Search:
    """Workers on one study; `watch` is called with all of them and with what has just ended."""

    def __init__(self, study: optuna.Study, place: Place, plan: Plan, watch: Watch) -> None:
        self._study, self._place, self._plan, self._watch = study, place, plan, watch
        self._workers: list[Worker] = []
        self._ended: list[worker.Ended] = []
        self._failures: list[str] = []
        self._turns = sum(each.state is not TrialState.WAITING for each in study.get_trials(deepcopy=False))
        self._stream: tuple[int, ...] = ()

    def run(self, workers: int, budget: Budget, joined: bool = False, most_memory: int = MOST_MEMORY) -> None:
        """Search until the budget is used up and every trial has ended.

        Args:
            workers: how many processes.
            budget: when no trial begins any more.
            joined: whether others search at the same time, so that suggestions must differ from theirs.
            most_memory: a worker that holds more bytes after a trial is replaced.

        Raises:
            ModelyardError: the same failure came SAME_FAILURES times in a row, or the storage does not answer.
            KeyboardInterrupt: after every worker was stopped; their trials are enqueued again.
        """
        self._stream = (_own_number(),) if joined else ()
        until = time.monotonic() + (budget.seconds or float("inf"))
        with self._place.explained():
            try:
                while self._hand_out_turns(workers, budget.trials, until, most_memory):
                    self._listen()
            finally:
                self._stop()
                self._show()

    def _hand_out_turns(self, workers: int, trials: int, until: float, most_memory: int) -> bool:
        """Start workers and give turns while there are any; tell whether anything is left to wait for."""
        if len(self._workers) >= workers and all(each.state == "busy" for each in self._workers):
            return True  # the storage is not asked while there is nothing to hand out: many searches may share it
        turns = 0 if time.monotonic() > until else trials - self._used_up()
        for idle in [each for each in self._workers if each.state == "idle"][: max(0, turns)]:
            idle.give(worker.Turn((self._plan.study.seed, self._turns, *self._stream)))
            self._turns, turns = self._turns + 1, turns - 1
        starting = sum(each.state == "starting" for each in self._workers)
        for _ in range(min(workers - len(self._workers), turns - starting)):
            self._workers.append(self._start(most_memory))
        return turns > 0 or any(each.state == "busy" for each in self._workers)

    def _used_up(self) -> int:
        """The trials that count, those of our busy workers included, whether they are in the storage yet or not."""
        busy = [each.number for each in self._workers if each.state == "busy"]
        others = [
            each
            for each in retries.used_up(self._study)
            if each.number not in busy and (each.state is not TrialState.RUNNING or "worker" in each.user_attrs)
        ]
        return len(busy) + len(others)

    def _start(self, most_memory: int) -> Worker:
        logs = self._plan.folder / ".modelyard" / "studies"
        logs.mkdir(parents=True, exist_ok=True)
        log = logs / f"{self._study.study_name}.log"
        return Worker(self._place, self._study.study_name, self._plan, most_memory, log)

    def _listen(self) -> None:
        """Take in what the workers say, for a moment."""
        for ready in connection.wait([each.connection for each in self._workers], timeout=LOOK_SECONDS):
            speaker = next(each for each in self._workers if each.connection is ready)
            try:
                self._hear(speaker, ready.recv())
            except (EOFError, OSError):
                self._part_with(speaker)
        self._show()

    def _hear(self, speaker: Worker, message: object) -> None:
        match message:
            case worker.Ready():
                speaker.state, speaker.name = "idle", message.worker
            case worker.Began():
                speaker.number = message.number
            case worker.Epoch():
                speaker.progress = message
            case worker.Ended():
                speaker.state, speaker.number = "full" if message.full else "idle", None
                self._note_end(message)

    def _part_with(self, gone: Worker) -> None:
        """Go on without a worker that has ended, because its memory had grown or because it died."""
        gone.process.join()
        self._workers.remove(gone)
        if gone.state == "full":
            return
        reason = f"its worker was {gone.last_words}"
        for trial in self._trials_of(gone):
            retries.set_aside(self._study, trial, reason)
        self._note_end(worker.Ended(-1 if gone.number is None else gone.number, "FAIL", None, reason))

    def _trials_of(self, gone: Worker) -> list[optuna.trial.FrozenTrial]:
        """What it left running."""
        running = self._study.get_trials(deepcopy=False, states=[TrialState.RUNNING])
        return [each for each in running if each.user_attrs.get("worker") == gone.name]

    def _note_end(self, ended: worker.Ended) -> None:
        self._ended.append(ended)
        self._failures = [*self._failures, _kind(ended.reason)] if ended.state == "FAIL" else []
        last = self._failures[-SAME_FAILURES:]
        if len(last) == SAME_FAILURES and len(set(last)) == 1:
            raise ModelyardError(
                f"stopped: {SAME_FAILURES} trials in a row failed alike, with {ended.reason}. What ended well is kept: "
                f"mend the cause or narrow studies.{self._plan.name}.vary, then run again."
            )

    def _show(self) -> None:
        self._watch(self._workers, self._ended)
        self._ended = []

    def _stop(self) -> None:
        """End every worker; trials in the middle are set aside, to be taken up when the study is resumed."""
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
            for trial in self._trials_of(each):
                retries.set_aside(self._study, trial, "stopped by a person or a program", counts=False)
        self._workers = []


def _own_number() -> int:
    """A number that no other search has; the process's own is 1 in every container."""
    return zlib.crc32(this_process().encode())


def _kind(reason: str) -> str:
    """A failure without the numbers in which two of a kind differ."""
    return re.sub(r"\d+(\.\d+)?", "#", reason)
