"""Moves what stages make between checkouts: by its hash, through DVC's cache and the project's DVC remote."""

import logging
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from modelyard.core.errors import ModelyardError, first_line
from modelyard.orchestration import dvc_lock
from modelyard.orchestration.patching import dvc_messages_to
from modelyard.orchestration.repository import open_repository

Stamps = Mapping[str, tuple[int, int, int]]  # the inode, time and size of files


def has_remote(root: Path) -> bool:
    """Return whether the project has a default DVC remote."""
    with open_repository(root) as repo:
        return bool(repo.config["core"].get("remote"))


def md5s(root: Path, paths: Collection[str]) -> dict[str, str]:
    """Return the MD5 of each of these files and folders of a checkout that is there."""
    return {path: dvc_lock.md5(root / path) for path in paths if (root / path).exists()}


def stamps(root: Path, paths: Collection[str]) -> Stamps:
    """Return what differs after any of these files and folders was written or replaced, without reading them."""
    found = {}
    for path in (root / each for each in paths):
        for file in [path, *path.rglob("*")]:
            with suppress(FileNotFoundError):
                state = file.stat()
                found[str(file)] = state.st_ino, state.st_mtime_ns, state.st_size
    return found


def send(root: Path, paths: Collection[str]) -> dict[str, str]:
    """Put files and folders of a checkout into the remote, and return the hash of each by its path.

    Raises:
        ModelyardError: the remote does not take them.
        OSError: a file is not there, or the disk is full.
    """
    from dvc.fs import localfs
    from dvc_data.hashfile.build import build
    from dvc_data.hashfile.transfer import transfer

    if not paths:
        return {}
    found = {}
    with _locked(root) as repo:
        cache = repo.cache.local
        for path in paths:
            staged, _, content = build(cache, str(root / path), localfs, cache.hash_name)
            transfer(staged, cache, {content.hash_info}, shallow=False)
            found[path] = content.hash_info
        _move(repo, found, to_remote=True)
    return {path: str(info.value) for path, info in found.items()}


def receive(root: Path, hashes: Mapping[str, str]) -> None:
    """Bring files and folders with these hashes from the remote to their paths in a checkout.

    Raises:
        ModelyardError: the remote does not have them, or cannot be reached.
        OSError: the disk is full.
    """
    from dvc.fs import localfs
    from dvc_data.hashfile import load
    from dvc_data.hashfile.checkout import CheckoutError, checkout
    from dvc_data.hashfile.hash_info import HashInfo

    if not hashes:
        return
    with _locked(root) as repo:
        cache = repo.cache.local
        infos = {path: HashInfo(cache.hash_name, value) for path, value in hashes.items()}
        _move(repo, infos, to_remote=False)
        for path, info in infos.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            with _messages() as said:
                try:
                    checkout(str(root / path), localfs, load(cache, info), cache, force=True, quiet=True)
                except CheckoutError:
                    raise ModelyardError(f"{path} cannot be written: {said.first}") from None


@contextmanager
def _locked(root: Path) -> Iterator[Any]:
    from dvc.repo import lock_repo

    with open_repository(root) as repo, lock_repo(repo):
        yield repo


def _move(repo: Any, infos: Mapping[str, Any], to_remote: bool) -> None:
    """Push or pull objects, those of folders with all of their files; DVC only logs why one could not be moved.

    Raises:
        ModelyardError: not all were moved.
    """
    from dvc.config import ConfigError
    from dvc.exceptions import DvcException
    from dvc_data.hashfile.transfer import transfer

    missing: set[Any] = set()
    with _messages() as said:
        try:
            cache, remote = repo.cache.local, repo.cloud.get_remote_odb()
            source, target = (cache, remote) if to_remote else (remote, cache)
            moved = transfer(
                source,
                target,
                set(infos.values()),
                verify=source.verify,
                validate_status=lambda status: missing.update(status.missing),
                cache_odb=source,
                shallow=False,
            )
        except (ConfigError, DvcException, FileNotFoundError) as error:
            raise ModelyardError(f"the DVC remote cannot be used: {first_line(error)}") from None
    if missing or moved.failed:
        reason = said.first or "it does not have all of it"
        raise ModelyardError(f"the DVC remote failed for {', '.join(infos)}: {reason}")


class _Messages(logging.Handler):
    """Keeps the first error that is logged."""

    first = ""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING and not self.first:
            error = record.exc_info[1] if record.exc_info else None
            self.first = first_line(error) if error else record.getMessage().splitlines()[0]


@contextmanager
def _messages() -> Iterator[_Messages]:
    said = _Messages()
    with dvc_messages_to(said):
        yield said
