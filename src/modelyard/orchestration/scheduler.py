"""Runs the stages of any dvc.yaml in parallel, on top of DVC itself.

DVC's own `repro` runs one stage at a time. Here DVC still decides what is out of date, runs each command, hashes and
caches: every stage is DVC's own `Stage.reproduce` in a process forked for it, upstream stages first; the files that
describe the pipeline are read once, before. DVC's lock is held by one process at a time and released while a command
runs, which makes this possible.
"""

import json
import logging
import signal
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from modelyard.core.processes import divide_cores
from modelyard.orchestration.change_reasons import reasons
from modelyard.orchestration.dvc_errors import explain_dvc_errors
from modelyard.orchestration.read_once import read_once
from modelyard.orchestration.run_lock import FOLDER, note_running
from modelyard.orchestration.stage import SUCCEEDED, Stage, StageState
from modelyard.orchestration.stage_process import DeferredSignals, signal_groups, start, state_after

__all__ = ["SUCCEEDED", "TIMES", "Pipeline", "Stage", "StageState"]

TIMES = FOLDER / "seconds.json"  # the times of the last builds here
POLL_SECONDS = 0.1
PENDING = {StageState.WAITING, StageState.RUNNING}
STOP_SECONDS = 5.0  # after which an interrupted stage is killed, and a killed one has ended


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
        with explain_dvc_errors(root), _repository(root) as self._repository:
            repo = self._repository
            graph = repo.index.graph
            chosen = repo.index.stages if targets is None else _chosen(repo, targets)
            order = _upstream_first(graph, chosen, repo.index.stages)
            self.stages = {stage.addressing: self._stage(stage, graph) for stage in order}
            self._dvc_stages = {stage.addressing: stage for stage in order}
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
            wait=wait_fixed(POLL_SECONDS),
            reraise=True,
        )
        with explain_dvc_errors(self._root):
            status, changes = attempts(self._status)
        for name, stage in self.stages.items():  # upstream first
            behind = sorted(each for each in stage.upstream if self.stages[each].state is not StageState.UNCHANGED)
            stage.changes = (*changes[name], *(f"after {each}" for each in behind))
            if not status[name] and not behind:
                stage.state = StageState.UNCHANGED

    def run(self, jobs: int, watch: Callable[[Mapping[str, Stage]], None], tolerant: Collection[str] = ()) -> None:
        """Run every waiting stage, `jobs` at a time, the longest remaining path first.

        Args:
            jobs: how many stages may run at once.
            watch: called with all stages every POLL_SECONDS and at the end.
            tolerant: stages that run as soon as all that they depend on has ended, successfully or not.

        Raises:
            KeyboardInterrupt: after every running stage was stopped.
        """
        running: dict[str, BaseProcess] = {}
        try:
            while self._advance(running, jobs, tolerant):
                watch(self.stages)
                time.sleep(POLL_SECONDS)
        finally:
            self._stop(running)
            self._save_times()
            watch(self.stages)

    def _status(self) -> tuple[dict[str, list[Any]], dict[str, list[str]]]:
        """What DVC says of each stage, and what has changed for it."""
        from dvc.repo import lock_repo

        with self._repository as repo, lock_repo(repo), read_once():  # no process writes dvc.lock meanwhile
            status = {name: stage.status(check_updates=True).get(name, []) for name, stage in self._dvc_stages.items()}
            return status, {name: reasons(self._dvc_stages[name], status[name]) for name in self.stages}

    def _stage(self, stage: Any, graph: Any) -> Stage:
        name = stage.addressing
        upstream = frozenset(each.addressing for each in graph.successors(stage))
        return Stage(name, upstream, self._root / FOLDER / "logs" / f"{name.replace('/', '_')}.log")

    def _advance(self, running: dict[str, BaseProcess], jobs: int, tolerant: Collection[str]) -> bool:
        """Record the stages that have ended, start those that are ready, and return whether any is running."""
        before = set(running)
        for name, process in list(running.items()):
            if not process.is_alive():
                self._record_end(name, running.pop(name))
        for stage in self._ready(tolerant)[: jobs - len(running)]:
            with DeferredSignals() as deferred:
                running[stage.name] = self._start(stage, deferred)
        if running.keys() != before:
            divide_cores([process.pid for process in running.values() if process.pid])
            note_running(self._root, running)
        return bool(running)

    def _ready(self, tolerant: Collection[str]) -> list[Stage]:
        ready = []
        for stage in self.stages.values():  # upstream first, so that a skipped stage is known to those after it
            if stage.state is not StageState.WAITING:
                continue
            if any(each.state in PENDING for each in self._upstream_of(stage)):
                continue
            if stage.name not in tolerant:
                self._skip_if_missing_upstream(stage)
            if stage.state is StageState.WAITING:
                ready.append(stage)
        return sorted(ready, key=lambda stage: -self._seconds_to_end[stage.name])

    def _skip_if_missing_upstream(self, stage: Stage) -> None:
        """Skip a stage if one that it needs was skipped, failed or was stopped."""
        missing = [each for each in self._upstream_of(stage) if each.state not in SUCCEEDED | PENDING]
        if missing:
            stage.state, stage.reason = StageState.SKIPPED, f"needs {missing[0].name}: {missing[0].state}"

    def _upstream_of(self, stage: Stage) -> list[Stage]:
        """Return the stages that a stage depends on, in the order of the pipeline."""
        return [each for name, each in self.stages.items() if name in stage.upstream]

    def _start(self, stage: Stage, deferred: DeferredSignals) -> BaseProcess:
        stage.log.parent.mkdir(parents=True, exist_ok=True)
        stage.log.write_text("")  # removes the output of an earlier run
        process = start(self._dvc_stages[stage.name], stage.log, deferred)
        stage.state, stage.began = StageState.RUNNING, time.monotonic()
        return process

    def _record_end(self, name: str, process: BaseProcess) -> None:
        stage = self.stages[name]
        stage.ended = time.monotonic()
        stage.state = state_after(process)

    def _stop(self, running: Mapping[str, BaseProcess]) -> None:
        """Interrupt the running stages, so that they can clean up; then kill what is left of their process groups."""
        try:
            signal_groups(running.values(), signal.SIGINT)
            deadline = time.monotonic() + STOP_SECONDS
            for process in running.values():
                process.join(max(0.0, deadline - time.monotonic()))
        finally:  # also after a second Ctrl-C
            signal_groups(running.values(), signal.SIGKILL)
            for name, process in running.items():
                process.join()
                self.stages[name].state, self.stages[name].ended = StageState.STOPPED, time.monotonic()

    def _save_times(self) -> None:
        built = {name: stage.seconds for name, stage in self.stages.items() if stage.state is StageState.BUILT}
        if built:
            self._times_file.parent.mkdir(parents=True, exist_ok=True)
            self._times_file.write_text(json.dumps(_seconds(self._times_file) | built), encoding="utf-8")

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


def _repository(root: Path) -> Any:
    from dvc.repo import Repo
    from tqdm import tqdm

    tqdm.monitor_interval = 0  # a progress bar's thread would make forking unsound
    logging.getLogger("dvc.rwlock").setLevel(logging.ERROR)  # it warns when it drops the locks of killed processes
    return Repo(str(root), _wait_for_lock=True)


def _chosen(repo: Any, targets: Iterable[str]) -> list[Any]:
    """Return the stages of some targets, by name where possible: DVC's `collect` reads dvc.lock again each time."""
    named = {stage.addressing: [stage] for stage in repo.index.stages}
    return [stage for target in targets for stage in named.get(target) or repo.stage.collect(target)]


def _upstream_first(graph: Any, chosen: Iterable[Any], all_stages: Sequence[Any]) -> list[Any]:
    """Return the chosen stages and all that they depend on, in topological order, otherwise as in dvc.yaml."""
    from networkx import descendants, lexicographical_topological_sort

    wanted = set(chosen)
    for stage in list(wanted):
        wanted |= descendants(graph, stage)
    needed_first = graph.subgraph(wanted).reverse()
    return list(lexicographical_topological_sort(needed_first, key=list(all_stages).index))
