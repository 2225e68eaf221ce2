"""`dvc repro` of one stage in two halves: what DVC does before the stage's command, and what it does afterwards.

DVC's own `Stage.reproduce` waits for the command in between. These are its steps in its order, so that one process can
do them for many stages in turn while their commands run. This reaches into DVC's modules, which pyproject.toml
therefore pins.
"""

import logging
import os
import shlex
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from modelyard.orchestration import shared_data
from modelyard.orchestration.checkout_guard import CheckoutGuard, Seen
from modelyard.orchestration.engine import DIED, KILLED, Command, Ended, Task
from modelyard.orchestration.lock_writer import write_entry
from modelyard.orchestration.patching import dvc_messages_to
from modelyard.orchestration.path_locks import PathLocks, lockable_paths, paths_are_locked
from modelyard.orchestration.stage import StageState

BEGINS_AGAIN = "begins again: "


class BusyError(Exception):
    """Another process makes or reads what a stage needs, so that it must wait."""


class Reproduction:
    """One stage: call `begin`, run the command that it returns, and call `end`, or `abandon` if it was stopped."""

    def __init__(
        self, stage: Any, reason: str, dependents: Sequence[Any], locks: PathLocks, guard: CheckoutGuard, log: Path
    ) -> None:
        """Prepare; nothing is read or written.

        Args:
            stage: DVC's own stage.
            reason: why it begins again, if it does.
            dependents: the stages that depend on it.
            locks: the locked paths of all stages that run.
            guard: notices checkouts by others.
            log: a file to which DVC's warnings and errors are appended.
        """
        self.stage, self.reason = stage, reason
        self._dependents, self._locks, self._guard, self._log = dependents, locks, guard, log
        self._outputs = lockable_paths(stage.outs)
        self._said = 0  # bytes of the log before the command
        self._seen: Seen
        self._made_from: list[Any]  # the hash of each dependency before the command
        self._is_from_before = False

    def begin(self, taken: Collection[str] = ()) -> Command | StageState:
        """Return the command that must run, or the state of the stage if there is nothing to run.

        Args:
            taken: the keys of tasks (see `for_elsewhere`) that a cluster runs, or has run, in this folder: what these
                make is not removed, and recorded only if nothing has replaced it.

        Raises:
            BusyError: another process makes or reads a path of this stage.
        """
        from dvc.lock import LockError

        outcome: Command | StageState = StageState.FAILED
        with self._dvc_state():
            try:
                made_from_it = [path for stage in self._dependents for path in lockable_paths(stage.outs)]
                self._locks.take(self._name, lockable_paths(self.stage.deps), self._outputs, made_from_it)
            except LockError as error:
                paragraphs = (" ".join(paragraph.split()) for paragraph in str(error).split("\n\n"))
                raise BusyError(". ".join(paragraphs)) from None
            try:
                with self.stage.repo.scm_context():
                    outcome = self._prepare(taken)
            except Exception as error:  # of one stage; the others go on
                self._report(error)
            finally:
                if isinstance(outcome, StageState):
                    self._locks.release(self._name)
        return outcome

    def for_elsewhere(self, task: Task, made: Collection[str]) -> Task:
        """Return the task of its command with a key that says what it is made from, and the data that must travel.

        Args:
            task: as this machine runs it.
            made: the paths of all outputs of the pipeline; DVC would read all of its files again to find them.
        """
        deps = [dep for dep in self.stage.deps if dep.protocol == "local" and _overlaps(dep.fs_path, made)]
        return replace(task, key=_key(self.stage), needs=self._relative(deps), makes=self._relative(self.stage.outs))

    def end(self, ended: Ended) -> StageState:
        """Record what the command made; return the state of the stage.

        If it is WAITING, it must begin again: `reason` says why, and `stage` is as its files have it now.
        """
        with self._dvc_state():
            try:
                if self._guard.look(self._outputs) != self._seen:
                    return self._begin_again("`dvc checkout` replaced what it had made")
                if ended.error or ended.result:
                    if ended.error:
                        self._append(ended.error)
                    elif ended.result in DIED:
                        self._append(KILLED)
                    elif self._log.stat().st_size <= self._said:  # the command said nothing itself
                        self._append(f"The command ended with exit code {ended.result}.")
                    return StageState.FAILED
                if self._is_from_before and ended.made != self._md5s():
                    return self._begin_again("what the cluster has made of it is not what is here")
                if changed := self._changed_dependencies():
                    return self._begin_again_once(f"{' and '.join(changed)} changed while its command ran")
                with self.stage.repo.scm_context():
                    self._save()
                return StageState.BUILT
            except Exception as error:  # of one stage; the others go on
                self._report(error)
                return StageState.FAILED
            finally:
                self._locks.release(self._name)

    def abandon(self) -> None:
        """Unlock the paths of a stage whose command was stopped."""
        self._locks.release(self._name)

    @property
    def _name(self) -> str:
        return str(self.stage.addressing)

    def _changed_dependencies(self) -> list[str]:
        """What the command may have read in another state than the one that would be recorded."""
        self.stage.save_deps()
        pairs = zip(self.stage.deps, self._made_from, strict=True)
        return [str(dependency) for dependency, before in pairs if dependency.hash_info != before]

    def _begin_again_once(self, why: str) -> StageState:
        """Begin again, unless it did for the same reason: a command that changes its own dependency always would."""
        if self.reason != BEGINS_AGAIN + why:
            return self._begin_again(why)
        self._append(
            f"{why}, twice, so nothing was recorded. A command must not change what it depends on; if somebody else "
            "did, run again."
        )
        return StageState.FAILED

    def _begin_again(self, why: str) -> StageState:
        self.reason, self.stage = BEGINS_AGAIN + why, self.stage.reload()
        return StageState.WAITING

    def _relative(self, items: Iterable[Any]) -> tuple[str, ...]:
        """The paths of dependencies or outputs, relative to the project's folder."""
        return tuple(os.path.relpath(each.fs_path, self.stage.repo.root_dir) for each in items)

    def _md5s(self) -> dict[str, str]:
        return shared_data.md5s(Path(self.stage.repo.root_dir), self._relative(self.stage.outs))

    def _is_taken(self, taken: Collection[str]) -> bool:
        copy = self.stage.reload()  # DVC would not find what it has to restore if this stage knew what it depends on
        copy.save_deps()
        return _key(copy) in taken

    def _prepare(self, taken: Collection[str]) -> Command | StageState:
        """The first half of DVC's `Stage.reproduce`."""
        from dvc.stage.cache import RunCacheNotFoundError

        stage = self.stage
        if not stage.changed():
            return StageState.UNCHANGED
        if not stage.cmd or stage.frozen:  # DVC verifies what is there, or imports it
            stage.run()
            write_entry(stage)
            return StageState.BUILT
        self._is_from_before = bool(taken) and self._is_taken(taken)
        if not self._is_from_before:
            stage.remove_outs(ignore_remove=False)
            with suppress(RunCacheNotFoundError):
                stage.repo.stage_cache.restore(stage, run_cache=_has_a_run_cache_key_of_its_own(stage))
                stage.save_deps()
                self._save()
                return StageState.BUILT
        stage.save_deps()
        self._made_from = [dependency.hash_info for dependency in stage.deps]
        self._seen, self._said = self._guard.look(self._outputs), self._log.stat().st_size
        return self._command()

    def _save(self) -> None:
        """The second half of DVC's `Stage.reproduce`, but that it does not hash the dependencies once more."""
        stage = self.stage
        stage.save_outs()
        stage.md5 = stage.compute_md5()
        data = [output for output in stage.outs if not (output.is_metric or output.is_plot)]
        if all(output.use_cache for output in data) and _has_a_run_cache_key_of_its_own(stage):
            stage.repo.stage_cache.save(stage)
        stage.commit()
        write_entry(stage)

    def _command(self) -> Command:
        """What DVC would run: each line of the command in a shell of its own, until one fails."""
        from dvc.stage.run import _enforce_cmd_list, _make_cmd, _warn_if_fish, get_executable, prepare_kwargs

        shell, options = get_executable(), prepare_kwargs(self.stage)
        _warn_if_fish(shell)
        *first, last = [shlex.join(_make_cmd(shell, line)) for line in _enforce_cmd_list(self.stage.cmd)]
        script = " && ".join([*first, f"exec {last}"])
        return Command(script, Path(options["cwd"]), options["env"], self._log)

    @contextmanager
    def _dvc_state(self) -> Iterator[None]:
        """Hold DVC's lock of the repository; what DVC says meanwhile goes to the log."""
        from dvc.repo import lock_repo

        with _messages_in(self._log), lock_repo(self.stage.repo), paths_are_locked():
            yield

    def _report(self, error: Exception) -> None:
        self._append(f"{type(error).__name__}: {error}")

    def _append(self, line: str) -> None:
        with self._log.open("a", encoding="utf-8") as log:
            log.write(f"{line}\n")


def _overlaps(path: str, others: Iterable[str]) -> bool:
    """Whether a path is one of some others, or within one, or around one."""
    return any(os.path.commonpath((path, other)) in (path, other) for other in others)


def _key(stage: Any) -> str:
    """The key of its task on a cluster."""
    return f"{stage.addressing}:{_identity(stage)}"


def _identity(stage: Any) -> str:
    """A hash of the command of a stage and all that it depends on."""
    from dvc.stage.cache import _can_hash, _get_stage_hash
    from dvc.utils import dict_sha256

    if not _can_hash(stage):
        return uuid.uuid4().hex
    return str(dict_sha256([_get_stage_hash(stage), [parameters.hash_info.value for parameters in stage.params]]))


def _has_a_run_cache_key_of_its_own(stage: Any) -> bool:
    """Whether DVC's run cache finds no result of other parameters for a stage.

    It leaves out the sizes of files by the names of their keys, and so all parameters with these names too.
    """
    return not any(_has_key(parameters.read_params(), {"size", "nfiles"}) for parameters in stage.params)


def _has_key(value: Any, names: Collection[str]) -> bool:
    """Whether a mapping anywhere in a value has one of these keys."""
    if isinstance(value, Mapping):
        return any(key in names or _has_key(each, names) for key, each in value.items())
    return isinstance(value, list | tuple) and any(_has_key(each, names) for each in value)


@contextmanager
def _messages_in(log: Path) -> Iterator[None]:
    """Append DVC's warnings to a file; its hints would hide the last lines of the command."""
    handler = logging.FileHandler(log, encoding="utf-8", delay=True)
    handler.setLevel(logging.WARNING)
    with closing(handler), dvc_messages_to(handler):
        yield
