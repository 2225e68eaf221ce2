"""Where studies are stored, a journal file or a shared database, and opening a study there."""

import json
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock, Timeout
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from modelyard.core import addresses
from modelyard.core.errors import ModelyardError, first_line
from modelyard.params.study import baseline_values, storage_label
from modelyard.tracking import tracking_uri
from modelyard.tuning import retries
from modelyard.tuning.plan import Plan

STORAGE_VARIABLE = "MODELYARD_OPTUNA_STORAGE"
CONNECT_SECONDS = 10
LOCK_SECONDS = 30  # a record is written in milliseconds
ADDED_KEYS = ("code", "datasets", "seed")  # of a search space; studies of earlier versions do not have them


@dataclass(frozen=True)
class StudyStorage:
    """The address of studies: the path of a journal, or the URL of a database with its heartbeat in seconds."""

    address: str
    heartbeat: int = 60

    @property
    def is_journal(self) -> bool:
        """Whether it is a file."""
        return "://" not in self.address

    @property
    def safe_address(self) -> str:
        """The address without user name and password, for terminals and logs."""
        return addresses.masked(self.address)

    def open(self) -> BaseStorage:
        """Connect; a journal is created where there is none.

        Raises:
            ModelyardError: it is out of reach, locked, damaged, or of a kind that loses trials.
        """
        optuna.logging.set_verbosity(optuna.logging.ERROR)  # the caller prints the end of each trial
        with self.explain_errors():
            return self._journal() if self.is_journal else self._database()

    @contextmanager
    def explain_errors(self) -> Iterator[None]:
        """Turn errors of the storage into messages that say what to do.

        Raises:
            ModelyardError: it is out of reach or locked.
        """
        try:
            yield
        except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
            reason = self._reason(getattr(error, "orig", None) or error.__cause__ or error)
            raise ModelyardError(
                f"the study storage {self.safe_address} does not answer: {reason}. Finished trials are kept there. "
                "Check that the database runs and that the address is right, then run again."
            ) from None
        except Timeout:
            raise ModelyardError(
                f"{self.address} has been locked by another process for {LOCK_SECONDS} seconds. Nothing is lost: "
                f"find the process that holds {self.address}.lock (`lsof`, `fuser`), end it and run again."
            ) from None

    def _reason(self, error: BaseException) -> str:
        """The first line of a library's error, without the password."""
        return addresses.mask_in(first_line(error), self.address)

    def _journal(self) -> JournalStorage:
        path = Path(self.address).resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{path}.lock", timeout=LOCK_SECONDS)  # the kernel frees it when its holder dies
        with lock:
            _move_torn_end(path)
        try:
            return JournalStorage(JournalFileBackend(str(path), lock_obj=lock))
        except (ValueError, KeyError, TypeError, AttributeError, AssertionError) as error:
            raise ModelyardError(
                f"{path} is not a study journal, or is damaged inside ({error}). It was left as it is: restore it from "
                "a backup, or move it away to start from scratch."
            ) from None

    def _database(self) -> RDBStorage:
        if self.address.startswith("sqlite"):
            raise ModelyardError(
                f"{self.safe_address}: SQLite loses trials when several workers write at once. Use a journal file (a "
                "path), or PostgreSQL: postgresql+psycopg://user@host/database."
            )
        if self.address == tracking_uri():
            raise ModelyardError(
                f"{self.safe_address} holds MLflow's runs, and one database cannot hold Optuna's tables too. "
                "Use another database."
            )
        addresses.check_credentials(self.address, "the address of the study storage")
        try:
            with warnings.catch_warnings():
                # Heartbeats are experimental in Optuna; a test with a real server covers them.
                warnings.simplefilter("ignore", ExperimentalWarning)
                return RDBStorage(
                    self.address,
                    engine_kwargs={"pool_pre_ping": True, "connect_args": {"connect_timeout": CONNECT_SECONDS}},
                    heartbeat_interval=self.heartbeat,
                    grace_period=2 * self.heartbeat,
                    heartbeat_stale_trial_callback=retries.enqueue_retry,
                )
        except (ImportError, ValueError, ArgumentError, NoSuchModuleError) as error:
            raise ModelyardError(
                f"{self.safe_address} is not the address of a database that can be used here: {self._reason(error)}. "
                "PostgreSQL is postgresql+psycopg://user@host/database."
            ) from None


def find_storage(study: str, address: str | None, root: Path) -> StudyStorage:
    """Return `address` as a storage, else that of MODELYARD_OPTUNA_STORAGE, else a journal in the project."""
    address = address or os.environ.get(STORAGE_VARIABLE)
    return StudyStorage(address or str(root.resolve() / ".modelyard" / "studies" / f"{study}.journal"))


def load_latest_study(name: str, storage: StudyStorage) -> optuna.Study:
    """Load the latest study of a params.yaml entry, to read it.

    Raises:
        ModelyardError: there is none, another program created it, or the storage does not answer.
    """
    with storage.explain_errors():
        opened = storage.open()
        latest = latest_name(name, opened)
        study = optuna.load_study(study_name=latest, storage=opened) if latest else None
        if study is None or _is_empty(study):
            raise ModelyardError(f"{storage.safe_address} holds no study {name} yet. Start it: modelyard tune {name}")
        if "space" not in study.user_attrs:
            raise ModelyardError(
                f"{storage.safe_address}: study {latest} was created by another program. Use another storage."
            )
        return study


def open_study(
    plan: Plan, storage: StudyStorage, new: bool = False, join: bool = False, on_cluster: bool = False
) -> optuna.Study:
    """Open the study to search in: that of `find_study`, or a new one whose trial 0 is the experiment unchanged.

    Args:
        plan: what is searched.
        storage: where studies are.
        new: create a study even if there is one.
        join: take part in a search that may be running on other machines.
        on_cluster: its trials may be running on a cluster, which `Search` comes back to.

    Raises:
        ModelyardError: the study has another search space or scores of other code, there is none to join, or the
            storage does not answer.
    """
    study = find_study(plan, storage, new, join)
    with storage.explain_errors():
        if study is None:
            opened = storage.open()
            return _create_study(plan, opened, next_name(latest_name(plan.name, opened), plan.name))
        if _is_empty(study):
            _begin(study, plan)
        _keep_code(study, plan)
        retries.retry_abandoned_trials(study, all_hosts=storage.is_journal and not (join or on_cluster))
        if not join:  # another machine may be training it
            retries.retry_failed_baseline(study)
        return study


def new_study_name(entry: str, storage: StudyStorage) -> str:
    """Return the name that the next study of an entry gets."""
    with storage.explain_errors():
        return next_name(latest_name(entry, storage.open()), entry)


def find_study(plan: Plan, storage: StudyStorage, new: bool = False, join: bool = False) -> optuna.Study | None:
    """Find the latest study of an entry to search in; None where `open_study` creates one. Nothing is stored.

    Raises:
        ModelyardError: as `open_study`.
    """
    with storage.explain_errors():
        opened = storage.open()
        latest = latest_name(plan.name, opened)
        if join and latest is None:
            raise ModelyardError(f"{storage.safe_address} holds no study {plan.name} to join: start it without --join.")
        if latest is None or new:
            return None
        study = optuna.load_study(study_name=latest, storage=opened)
        if not (_is_empty(study) and [each.name.lower() for each in study.directions] == plan.directions):
            _refuse_another_space(study, plan)
        return study


def latest_name(entry: str, storage: BaseStorage) -> str | None:
    """Return the name of the latest study of a params.yaml entry (`entry`, `entry-2`, ...) in the storage, or None."""
    return next(iter(names_of(entry, storage)), None)


def names_of(entry: str, storage: BaseStorage) -> list[str]:
    """Return the names of all studies of a params.yaml entry in the storage, the latest first."""
    names = {each.study_name for each in storage.get_all_studies()}
    found = [each for each in names if each == entry or each.rpartition("-")[0] == entry]
    return sorted(found, key=_number, reverse=True)


def next_name(latest: str | None, entry: str) -> str:
    """Return the name of the next study of a params.yaml entry in the storage."""
    return f"{entry}-{_number(latest) + 1}" if latest else entry


def space_changes(old: Any, new: Any, key: str = "") -> list[str]:
    """Return a line for each place where two search spaces differ, with the old value and the new one."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*old, *(each for each in new if each not in old)]
        return [line for each in keys for line in space_changes(old.get(each), new.get(each), f"{key}.{each}")]
    values = (json.dumps(each) if each is not None else "nothing" for each in (old, new))
    return [] if old == new else [f"{key.removeprefix('.')}: {' -> '.join(values)}"]


def changes_since(stored: dict[str, Any], space: dict[str, Any]) -> list[str]:
    """Return how a study's stored space differs; a key that an earlier version did not store counts as equal."""
    return space_changes(stored, {key: each for key, each in space.items() if key in stored or key not in ADDED_KEYS})


def _create_study(plan: Plan, storage: BaseStorage, name: str) -> optuna.Study:
    try:
        study = optuna.create_study(study_name=name, storage=storage, directions=plan.directions)
    except optuna.exceptions.DuplicatedStudyError:
        raise ModelyardError(
            f"study {name} was created by another search at the same moment. Join it: modelyard tune {plan.name} --join"
        ) from None
    _begin(study, plan)
    return study


def _begin(study: optuna.Study, plan: Plan) -> None:
    """Keep what a new study searches, and enqueue its baseline, which comes last: see `_is_empty`."""
    attributes = {"experiment": plan.study.experiment, "metric": plan.metric, "space": plan.space}
    for key, value in attributes.items():
        study.set_user_attr(key, value)
    values = baseline_values(plan.study, plan.experiment)
    study.enqueue_trial({key: storage_label(value) for key, value in values.items()})


def _is_empty(study: optuna.Study) -> bool:
    """Whether a search was killed while it created the study."""
    return not study.get_trials(deepcopy=False)


def _refuse_another_space(study: optuna.Study, plan: Plan) -> None:
    changes = changes_since(study.user_attrs.get("space", {}), plan.space)
    if changes:
        raise ModelyardError(
            f"study {study.study_name} was created with another search space or by other code; its scores and new ones "
            "cannot be compared:\n  " + "\n  ".join(changes) + "\nUndo the change, or start another study beside this "
            f"one: modelyard tune {plan.name} --new"
        )


def _keep_code(study: optuna.Study, plan: Plan) -> None:
    """Keep the code with a study of an earlier version, which did not, so that the next edit is noticed."""
    space = study.user_attrs["space"]
    if "code" not in space:
        print(  # noqa: T201
            f"warning: study {study.study_name} is of an earlier version, which did not keep what code scored its "
            f"trials: if that was edited since, do not mix them with new ones: modelyard tune {plan.name} --new",
            file=sys.stderr,
        )
        study.set_user_attr("space", {**space, "code": plan.code})


def _number(name: str) -> int:
    ending = name.rpartition("-")[2]
    return int(ending) if ending.isdecimal() else 1


def _move_torn_end(path: Path) -> None:
    """Move a record that was not written whole to `<name>.torn`: the next one would be appended to it."""
    content = path.read_bytes() if path.exists() else b""
    whole, end, torn = content.rpartition(b"\n")
    if torn:
        with path.with_name(f"{path.name}.torn").open("ab") as aside:
            aside.write(torn + b"\n")
        os.truncate(path, len(whole + end))
