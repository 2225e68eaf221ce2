"""Runs the stages of any dvc.yaml in parallel, on top of DVC itself.

DVC's own `repro` runs one stage at a time. Here DVC still decides what is out of date, hashes and caches, all in this
process, the coordinator: no other one of a rebuild reads or writes DVC's state, and what it hands out are the commands
of the stages. DVC's lock is held while its state is read or written, and free while only commands run.
"""

import json
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from modelyard.orchestration.change_reasons import reasons
from modelyard.orchestration.checkout_guard import CheckoutGuard
from modelyard.orchestration.dvc_errors import explain_dvc_errors
from modelyard.orchestration.engine import Command, Ended, Engine, Task, TaskEvent
from modelyard.orchestration.local_engine import POLL_SECONDS, STOP_SECONDS, LocalEngine
from modelyard.orchestration.path_locks import PathLocks
from modelyard.orchestration.read_once import parse_once, read_once, upstream_stages
from modelyard.orchestration.repository import open_repository
from modelyard.orchestration.reproduction import BusyError, Reproduction
from modelyard.orchestration.run_lock import FOLDER, note_running
from modelyard.orchestration.stage import SUCCEEDED, Stage, StageState

__all__ = ["SUCCEEDED", "TIMES", "Pipeline", "Stage", "StageState"]

TIMES = FOLDER / "seconds.json"  # the times of the last builds here
RETRY_SECONDS = 0.1  # between attempts to get a lock of DVC
BUSY_SECONDS = 1.0  # until a stage is tried again that needs what another process makes
PENDING = {StageState.WAITING, StageState.RUNNING}


class Running(NamedTuple):
    """A stage whose command runs; `is_local` if it takes no room of a cluster."""

    stage: str
    reproduction: Reproduction
    is_local: bool


class Pipeline:
    """The stages that some targets need, in the order of DVC's own graph, and their execution."""

    def __init__(self, root: Path, targets: Collection[str] | None = None, typical_times: Path | None = None) -> None:
        """Read the dvc.yaml of a project.

        Args:
            root: its folder, which is the current one.
            targets: names of stages as DVC has them; None for every stage.
            typical_times: a JSON file with the seconds of stages, for those that were never built here.

        Raises:
            ModelyardError: a file that describes the pipeline is wrong, or there is no such stage.
        """
        self._root = root
        self._times_file = root / TIMES
        self._busy_until: dict[str, float] = {}
        with explain_dvc_errors(root), parse_once(), open_repository(root) as self._repository:
            repo = self._repository
            upstream = upstream_stages(repo.index)
            named = {stage.addressing: stage for stage in repo.index.stages}
            # As in DVC, a frozen stage needs nothing built; it still comes after what it depends on, and hashes that.
            needed = {name: frozenset() if named[name].frozen else upstream[name] for name in upstream}
            wanted = named.keys() if targets is None else with_upstream(_chosen(repo, targets, named), needed)
            self.stages = {name: self._stage(name, needed[name]) for name in upstream if name in wanted}
            self._upstream = {
                name: [stage for stage in self.stages.values() if stage.name in upstream[name]] for name in self.stages
            }
            self._dvc_stages = {name: named[name] for name in self.stages}
            self._made = [output.fs_path for stage in named.values() for output in stage.outs]
            self._dependents: dict[str, list[Any]] = {name: [] for name in named}
            for name, makers in upstream.items():
                for each in makers:
                    self._dependents[each].append(named[name])
        for name, seconds in (_seconds(typical_times) | _seconds(self._times_file)).items():
            if name in self.stages:
                self.stages[name].last_seconds = seconds

    def skip(self, reasons: Mapping[str, str], tolerant: Collection[str] = ()) -> None:
        """Do not run these stages, nor those that need them but for `tolerant` ones; users see the reason of each."""
        for name in self.stages.keys() & reasons.keys():
            self.stages[name].state, self.stages[name].reason = StageState.SKIPPED, reasons[name]
        for stage in self.stages.values():  # upstream first
            if stage.state is StageState.WAITING and stage.name not in tolerant:
                self._skip_if_missing_upstream(stage)

    def find_unchanged(self) -> None:
        """Mark the stages that are up to date, with all that they depend on, and list the changes of the others.

        Raises:
            ModelyardError: a file that describes the pipeline is wrong, or another process holds DVC's lock.
        """
        from dvc.lock import LockError
        from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

        # DVC's locks of a killed run are those of running processes until the system has removed these.
        attempts = Retrying(
            retry=retry_if_exception_type(LockError),
            stop=stop_after_delay(STOP_SECONDS),
            wait=wait_fixed(RETRY_SECONDS),
            reraise=True,
        )
        with explain_dvc_errors(self._root):
            status, changes = attempts(self._status)
        for name, stage in self.stages.items():  # upstream first
            behind = sorted(each for each in stage.upstream if self.stages[each].state is not StageState.UNCHANGED)
            stage.changes = (*changes[name], *(f"after {each}" for each in behind))
            if not status[name] and not behind:
                stage.state = StageState.UNCHANGED

    def run(
        self,
        jobs: int | None,
        watch: Callable[[Mapping[str, Stage]], None],
        tolerant: Collection[str] = (),
        engine: Engine | None = None,
        stays: Callable[[Stage], bool] = lambda _: False,
    ) -> None:
        """Run every waiting stage, `jobs` at a time, the longest remaining path first.

        Args:
            jobs: how many stages may run at once; None: as many as the engine runs.
            watch: called with all stages whenever one starts or ends.
            tolerant: stages that run as soon as all that they depend on has ended, successfully or not, if each of
                their dependencies is there.
            engine: runs their commands; None: this machine.
            stays: whether a stage must run on this machine, whatever the engine.

        Raises:
            KeyboardInterrupt: after every running stage was stopped.
        """
        running: dict[str, Running] = {}
        self._engine, self._stays = engine or LocalEngine(jobs or 1), stays
        self._taken = set(self._engine.taken() if self._engine.shares_folder else ())
        events: Sequence[TaskEvent] = ()
        self._locks = PathLocks(self._repository)
        self._guard = CheckoutGuard(self._repository, self._root / FOLDER / "no_checkout_yet")
        with self._repository:
            try:
                while self._advance(events, running, jobs, tolerant, watch):
                    events = self._engine.watch(POLL_SECONDS)
            finally:
                self._stop(running)
                self._guard.end()
                self._save_times()
                watch(self.stages)

    def _status(self) -> tuple[dict[str, list[Any]], dict[str, list[str]]]:
        """What DVC says of each stage, and what has changed for it."""
        from dvc.repo import lock_repo

        stages = self._dvc_stages.values()
        with self._repository as repo, lock_repo(repo), read_once(repo, stages):  # no process writes dvc.lock meanwhile
            status = {name: stage.status().get(name, []) for name, stage in self._dvc_stages.items()}
            return status, {name: reasons(self._dvc_stages[name], status[name]) for name in self.stages}

    def _stage(self, name: str, upstream: frozenset[str]) -> Stage:
        return Stage(name, upstream, self._root / FOLDER / "logs" / f"{name.replace('/', '_')}.log")

    def _advance(
        self,
        events: Sequence[TaskEvent],
        running: dict[str, Running],
        jobs: int | None,
        tolerant: Collection[str],
        watch: Callable[[Mapping[str, Stage]], None],
    ) -> bool:
        """Record the stages that have ended, start those that are ready, and return whether any is left."""
        ended = [event for event in events if isinstance(event, Ended)]
        for event in ended:
            self._taken.discard(event.key)
            name, reproduction, _ = running.pop(event.key)
            state, self.stages[name].machine = reproduction.end(event), event.machine
            if state is StageState.WAITING:
                self.stages[name].reason, self._dvc_stages[name] = reproduction.reason, reproduction.stage
            self._record_end(self.stages[name], state)
        started = list[Stage]()
        for stage in self._ready(tolerant):
            # No more at once than can run: those that only restore their outputs take their time as well.
            if len(started) < self._engine.slots and self._has_room(stage, running, jobs):
                self._start(stage, running)
                started.append(stage)
        if ended or started:
            note_running(self._root, (run.stage for run in running.values()))
            watch(self.stages)
        return any(stage.state in PENDING for stage in self.stages.values())

    def _has_room(self, stage: Stage, running: Mapping[str, Running], jobs: int | None) -> bool:
        is_local = self._is_local(stage)
        room = self._engine.local_slots if is_local else jobs or self._engine.slots
        return sum(run.is_local is is_local for run in running.values()) < room

    def _is_local(self, stage: Stage) -> bool:
        return self._engine.local_slots > 0 and self._stays(stage)

    def _ready(self, tolerant: Collection[str]) -> list[Stage]:
        ready = []
        for stage in self.stages.values():  # upstream first, so that a skipped stage is known to those after it
            if stage.state is not StageState.WAITING or time.monotonic() < self._busy_until.get(stage.name, 0.0):
                continue
            if any(each.state in PENDING for each in self._upstream[stage.name]):
                continue
            if stage.name not in tolerant or not all(dep.exists for dep in self._dvc_stages[stage.name].deps):
                self._skip_if_missing_upstream(stage)
            if stage.state is StageState.WAITING:
                ready.append(stage)
        return sorted(ready, key=lambda stage: -self._seconds_to_end[stage.name])

    def _skip_if_missing_upstream(self, stage: Stage) -> None:
        """Skip a stage if one that it needs was skipped, failed or was stopped."""
        needed = [each for each in self._upstream[stage.name] if each.name in stage.upstream]
        missing = [each for each in needed if each.state not in SUCCEEDED | PENDING]
        if missing:
            stage.state, stage.reason = StageState.SKIPPED, f"needs {missing[0].name}: {missing[0].state}"

    def _start(self, stage: Stage, running: dict[str, Running]) -> None:
        """Do what DVC does before the command, and start the command if it must run."""
        self._busy_until.pop(stage.name, None)
        stage.log.parent.mkdir(parents=True, exist_ok=True)
        # Removes the output of an earlier run.
        stage.log.write_text(f"{stage.reason}\n" if stage.reason else "", encoding="utf-8")
        stage.state, stage.began = StageState.RUNNING, time.monotonic()
        reproduction = Reproduction(
            self._dvc_stages[stage.name],
            stage.reason,
            self._dependents[stage.name],
            self._locks,
            self._guard,
            stage.log,
        )
        try:
            outcome = reproduction.begin(self._taken)
        except BusyError as busy:
            stage.reason, self._busy_until[stage.name] = str(busy), time.monotonic() + BUSY_SECONDS
            outcome = StageState.WAITING
        if isinstance(outcome, Command):
            task = Task(stage.name, outcome, self._seconds_to_end[stage.name], stays=self._stays(stage))
            if not (self._engine.shares_files or task.stays):
                task = reproduction.for_elsewhere(task, self._made)
            stage.has_run, running[task.key] = True, Running(stage.name, reproduction, self._is_local(stage))
            self._engine.submit(task)
        else:
            self._record_end(stage, outcome)

    def _record_end(self, stage: Stage, state: StageState) -> None:
        stage.state, stage.ended = state, time.monotonic()
        if state is StageState.WAITING:
            stage.began = stage.ended = 0.0

    def _stop(self, running: Mapping[str, Running]) -> None:
        """Stop the running stages."""
        try:
            self._engine.cancel()
        finally:  # also after a second Ctrl-C
            for stage in self.stages.values():
                if stage.state is StageState.RUNNING:
                    stage.state, stage.ended = StageState.STOPPED, time.monotonic()
            for run in running.values():
                run.reproduction.abandon()

    def _save_times(self) -> None:
        computed = {name: stage.seconds for name, stage in self.stages.items() if stage.is_computed}
        if computed:
            self._times_file.parent.mkdir(parents=True, exist_ok=True)
            self._times_file.write_text(json.dumps(_seconds(self._times_file) | computed), encoding="utf-8")

    @cached_property
    def _seconds_to_end(self) -> dict[str, float]:
        """The seconds from the start of a stage to the end of the last stage that depends on it."""
        longest = dict.fromkeys(self.stages, 0.0)
        for name in reversed(self.stages):
            longest[name] += self.stages[name].last_seconds
            for upstream in self.stages[name].upstream:
                longest[upstream] = max(longest[upstream], longest[name])
        return longest


def _seconds(file: Path | None) -> dict[str, float]:
    """Return the seconds of each stage in a file, and none if the file is missing or broken."""
    try:
        given = dict(json.loads(file.read_text(encoding="utf-8"))) if file else {}
        return {name: float(seconds) for name, seconds in given.items()}
    except (OSError, ValueError, TypeError):
        return {}


def _chosen(repo: Any, targets: Iterable[str], named: Mapping[str, Any]) -> list[str]:
    """Return the names of the stages of some targets; DVC's `collect` reads dvc.lock again each time."""
    return [
        name
        for target in targets
        for name in ([target] if target in named else [stage.addressing for stage in repo.stage.collect(target)])
    ]


def with_upstream(chosen: Iterable[str], upstream: Mapping[str, Iterable[str]]) -> set[str]:
    """Return the names of some stages and of all that they depend on."""
    wanted: set[str] = set()
    waiting = list(chosen)
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            waiting += upstream[name]
    return wanted
