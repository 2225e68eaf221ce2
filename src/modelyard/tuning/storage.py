"""Where studies are kept: a journal file, or a database that several machines share."""

import json
import os
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

from modelyard.core.errors import ModelyardError
from modelyard.tracking import tracking_uri
from modelyard.tuning import retries

VARIABLE = "MODELYARD_OPTUNA_STORAGE"
CONNECT_SECONDS = 10
LOCK_SECONDS = 30  # a record is written in milliseconds


@dataclass(frozen=True)
class Place:
    """An address of studies: the path of a journal, or a database's URL; `heartbeat` in seconds is for databases."""

    address: str
    heartbeat: int = 60

    @property
    def is_journal(self) -> bool:
        """Whether it is a file."""
        return "://" not in self.address

    @property
    def shown(self) -> str:
        """The address without name and password, for screens and logs."""
        before, at, after = self.address.rpartition("@")
        return f"{before.partition('://')[0]}://...@{after}" if at else self.address

    def open(self) -> BaseStorage:
        """Connect to it; a journal is made where there is none.

        Raises:
            ModelyardError: it is out of reach, locked, damaged, or of a kind that loses trials.
        """
        with self.explained():
            return self._journal() if self.is_journal else self._database()

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Tell what a person can mend when the storage does not answer.

        Raises:
            ModelyardError: it is out of reach or locked.
        """
        try:
            yield
        except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
            reason = str(getattr(error, "orig", None) or error.__cause__ or error).strip().splitlines()[0]
            raise ModelyardError(
                f"the storage of studies, {self.shown}, does not answer: {reason}. Finished trials are kept there; "
                "see that the database runs and that the address is right, then run again."
            ) from None
        except Timeout:
            raise ModelyardError(
                f"{self.address} has been locked by another process for {LOCK_SECONDS} seconds. Nothing is lost: "
                f"see what holds {self.address}.lock (`lsof`, `fuser`), end it and run again."
            ) from None

    def _journal(self) -> JournalStorage:
        path = Path(self.address).resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{path}.lock", timeout=LOCK_SECONDS)  # the kernel frees it when its holder dies
        with lock:
            _set_torn_end_aside(path)
        try:
            return JournalStorage(JournalFileBackend(str(path), lock_obj=lock))
        except (ValueError, KeyError, TypeError, AttributeError, AssertionError) as error:
            raise ModelyardError(
                f"{path} is no journal of studies, or is damaged inside ({error}). It was left as it is: take it from "
                "a backup, or move it away to begin anew."
            ) from None

    def _database(self) -> RDBStorage:
        if self.address.startswith("sqlite"):
            raise ModelyardError(
                "SQLite loses trials of workers that write at once: name a journal file (a path), or PostgreSQL as "
                "postgresql+psycopg://user@host/database."
            )
        if self.address == tracking_uri():
            raise ModelyardError(
                "MLflow's runs are in that database, and it cannot hold Optuna's tables too: give it another."
            )
        try:
            with warnings.catch_warnings():
                # That heartbeats are experimental: a test with a real server guards them.
                warnings.simplefilter("ignore", ExperimentalWarning)
                return RDBStorage(
                    self.address,
                    engine_kwargs={"pool_pre_ping": True, "connect_args": {"connect_timeout": CONNECT_SECONDS}},
                    heartbeat_interval=self.heartbeat,
                    grace_period=2 * self.heartbeat,
                    heartbeat_stale_trial_callback=retries.enqueue_again,
                )
        except (ImportError, ValueError, ArgumentError, NoSuchModuleError) as error:
            raise ModelyardError(
                f"{self.shown} is no address of a database that can be used here: {error}. "
                "PostgreSQL is postgresql+psycopg://user@host/database."
            ) from None


def place_of(study: str, given: str | None, root: Path) -> Place:
    """The storage of a study: as given, as MODELYARD_OPTUNA_STORAGE has it, or a journal in the project."""
    named = given or os.environ.get(VARIABLE)
    return Place(named or str(root.resolve() / ".modelyard" / "studies" / f"{study}.journal"))


def latest(study: str, storage: BaseStorage) -> str | None:
    """The name in the storage of a study as it was last begun: `name`, `name-2`, ... or None."""
    names = {each.study_name for each in storage.get_all_studies()}
    numbered = [each for each in names if each == study or each.rpartition("-")[0] == study]
    return max(numbered, key=_number, default=None)


def following(name: str | None, study: str) -> str:
    """The name after the latest one."""
    return f"{study}-{_number(name) + 1}" if name else study


def difference(before: Any, now: Any, key: str = "") -> list[str]:
    """Where two spaces differ, each place with what stood there and what stands there now."""
    if isinstance(before, dict) and isinstance(now, dict):
        keys = [*before, *(each for each in now if each not in before)]
        return [line for each in keys for line in difference(before.get(each), now.get(each), f"{key}.{each}")]
    told = (json.dumps(each) if each is not None else "nothing" for each in (before, now))
    return [] if before == now else [f"{key.removeprefix('.')}: {' -> '.join(told)}"]


def _number(name: str) -> int:
    ending = name.rpartition("-")[2]
    return int(ending) if ending.isdecimal() else 1


def _set_torn_end_aside(path: Path) -> None:
    """Cut a record that was never written whole: the next one would be glued to it, and the file be unreadable."""
    content = path.read_bytes() if path.exists() else b""
    whole, end, torn = content.rpartition(b"\n")
    if torn:
        with path.with_name(f"{path.name}.torn").open("ab") as aside:
            aside.write(torn + b"\n")
        os.truncate(path, len(whole + end))
