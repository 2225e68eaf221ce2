"""Raw files, verified by checksum before anyone reads them: from here, from a mirror, or from their public address."""

import os
import shutil
import socket
import sys
import threading
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from pydantic import Field

from modelyard.core.config import Settings
from modelyard.core.errors import ModelyardError
from modelyard.core.files import checksum, passing_file, whole_file, write_text
from modelyard.data.archives import unpack
from modelyard.data.sources import Checksum, Source

ANSWER_SECONDS = 2.0  # a host that has not accepted a connection by then is out of reach
READ_SECONDS = 30.0
ATTEMPTS = 3


class FetchSettings(Settings):
    """Where to look before the public address."""

    mirrors: tuple[str, ...] | None = Field(
        default=(), description="folders or URLs laid out as <mirror>/<folder>/<file>; left empty for none"
    )


class _Place(NamedTuple):
    """A path or URL, and what is expected there."""

    address: str
    checksum: Checksum


class _Refused(Exception):
    """One address did not give the file; the text says why."""


class Reach:
    """Which hosts answer; all are asked at once, each one once, so that silent ones cost ANSWER_SECONDS in total."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self._hosts = {_host(address) for address in addresses if _is_url(address)}
        self._answers: dict[tuple[str, int], bool] | None = None

    def has(self, address: str) -> bool:
        """Whether a file (by path) is there, or the host of a URL answers."""
        if not _is_url(address):
            return Path(address).is_file()
        if self._answers is None:
            self._answers = _who_answers(self._hosts)
        return self._answers.get(_host(address), False)


@dataclass(frozen=True)
class FileSet:
    """The files of one data set and the places where they may be had."""

    sources: Mapping[str, Source]
    folder: str
    mirrors: tuple[str, ...]
    root: Path = field(default_factory=Path.cwd)

    def addresses(self, name: str) -> list[str]:
        """Every path or URL of a file, in the order of trying."""
        return [place.address for place in self._places(name)]

    def all_addresses(self) -> list[str]:
        """The addresses of all files."""
        return [address for name in self.sources for address in self.addresses(name)]

    def is_here(self, name: str, target: Path) -> bool:
        """Whether the folder `target` has all that comes of a file; its content is not read."""
        return all((target / file).is_file() for file in self.sources[name].leaves(name))

    def edited(self) -> dict[str, str]:
        """A person's own files that are there and are not what params.yaml says, each with what to do about it."""
        told = {name: source.edited(self.root) for name, source in self.sources.items()}
        return {name: each for name, each in told.items() if each}

    def out_of_reach(self, target: Path, reach: Reach) -> dict[str, list[str]]:
        """The files that are neither in `target` nor at an address that answers, each with the addresses asked."""
        return {
            name: self.addresses(name)
            for name, source in self.sources.items()
            if source.text is None
            and not self.is_here(name, target)
            and not any(reach.has(address) for address in self.addresses(name))
        }

    def cannot_be_had(self, tried: Mapping[str, list[str]]) -> str:
        """What to tell a person of files that cannot be had: their names, all that was tried, what to do."""
        names = ", ".join(" or ".join((name, *self.sources[name].alternatives)) for name in tried)
        remedies = dict.fromkeys(self.sources[name].remedy(self.folder) for name in tried)
        addresses = (f"  {address}" for each in tried.values() for address in each)
        return "\n".join((f"{names} cannot be had.", "Tried:", *addresses, f"What to do: {'; '.join(remedies)}."))

    def fetch(self, target: Path) -> dict[str, str]:
        """Bring every file into the folder `target`, verified; tell where each came from.

        Raises:
            ModelyardError: a file cannot be had, or one's own was edited; the text names every address tried and what
                to do.
        """
        if edited := self.edited():  # what was copied before may still be as params.yaml says
            raise ModelyardError("\n".join(edited.values()))
        target.mkdir(parents=True, exist_ok=True)
        reach = Reach(self.all_addresses())
        origins = {name: self._fetch_file(name, target, reach) for name in self.sources}
        wanted = {target / file for name, source in self.sources.items() for file in source.leaves(name)}
        for stray in set(target.iterdir()) - wanted:
            shutil.rmtree(stray) if stray.is_dir() else stray.unlink()
        return origins

    def _places(self, name: str) -> list[_Place]:
        source = self.sources[name]
        if source.path is not None:
            return [_Place(str(self.root / source.path), source.checksum)]
        if source.package is not None:
            package, _, inside = source.package.partition("/")
            found = find_spec(package)  # does not import it
            missing = f"package {package}, which is not installed"
            return [_Place(str(Path(found.origin).parent / inside) if found else missing, source.checksum)]
        if source.url is not None:
            return [*self._mirrored(name), _Place(source.url, source.checksum)]
        return []

    def _mirrored(self, name: str) -> Iterator[_Place]:
        source = self.sources[name]
        others = {other: Checksum("sha256", value) for other, value in source.alternatives.items()}
        for mirror in self.mirrors:
            for file, checksum_there in ({name: source.checksum} | others).items():
                yield _Place(f"{mirror.rstrip('/')}/{self.folder}/{file}", checksum_there)

    def _fetch_file(self, name: str, folder: Path, reach: Reach) -> str:
        source = self.sources[name]
        if source.text is not None:
            write_text(folder / name, source.text)
            return "params.yaml"
        if _is_verified(source, name, folder):
            return "already here, verified"
        failures = []
        for place in self._places(name):
            try:
                _bring(place, source, folder / name, reach)
                return place.address
            except (_Refused, ModelyardError) as refusal:
                failures.append(f"{place.address}: {refusal}")
        raise ModelyardError(self.cannot_be_had({name: failures}))


def all_mirrors(settings: FetchSettings, root: Path) -> tuple[str, ...]:
    """The mirror of MODELYARD_MIRROR first, then those of params.yaml; folders as absolute paths."""
    named = [os.environ.get("MODELYARD_MIRROR", ""), *(settings.mirrors or ())]
    return tuple(each if _is_url(each) else str((root / Path(each).expanduser()).resolve()) for each in named if each)


def _is_url(address: str) -> bool:
    return address.startswith(("http://", "https://"))


def _host(address: str) -> tuple[str, int]:
    """The host to connect to for a URL: its own, or that of the proxy in charge of it."""
    parts = urlsplit(address)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _who_answers(hosts: set[tuple[str, int]]) -> dict[tuple[str, int], bool]:
    answers = dict.fromkeys(hosts, False)
    # Daemon threads: a name look-up cannot be timed out, and must not hold up the end of the process.
    threads = [threading.Thread(target=_ask, args=(host, answers), daemon=True) for host in hosts]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + ANSWER_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return dict(answers)


def _ask(host: tuple[str, int], answers: dict[tuple[str, int], bool]) -> None:
    try:
        socket.create_connection(host, timeout=ANSWER_SECONDS).close()
        answers[host] = True
    except OSError:
        pass


def _is_verified(source: Source, name: str, folder: Path) -> bool:
    expected = {member: Checksum("md5", value) for member, value in source.members.items()} or {name: source.checksum}
    return all(
        (folder / file).is_file() and checksum(folder / file, method) == value
        for file, (method, value) in expected.items()
    )


def _bring(place: _Place, source: Source, target: Path, reach: Reach) -> None:
    """Bring one file, or the members of an archive; they take their places only when all checksums are right."""
    if not source.members:
        with whole_file(target) as temporary:
            _get(place, temporary, reach)
        return
    with passing_file(target) as temporary:
        _get(place, temporary, reach)
        print(f"{target.name}: unpacking", file=sys.stderr)  # noqa: T201
        unpack(temporary, source.members, target.parent)


def _get(place: _Place, temporary: Path, reach: Reach) -> None:
    """Copy or download one file and verify it."""
    address, expected = place
    if not reach.has(address):
        raise _Refused(f"no answer within {ANSWER_SECONDS:g} s" if _is_url(address) else "no such file")
    if _is_url(address):
        _download(address, temporary)
    else:
        shutil.copyfile(address, temporary)
    found = checksum(temporary, expected.method)
    if found != expected.value:
        raise _Refused(f"wrong content: its {expected.told(found)}")


def _download(url: str, target: Path) -> None:
    """Download with a progress bar, with retries where another attempt can help."""
    import pooch
    import requests
    from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

    def is_passing(error: BaseException) -> bool:
        status = getattr(getattr(error, "response", None), "status_code", None)
        return isinstance(error, requests.RequestException) and (
            status is None or status in (408, 429) or status >= 500
        )

    attempts = Retrying(
        retry=retry_if_exception(is_passing),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential(multiplier=0.5, max=4),
        reraise=True,
    )
    get = pooch.HTTPDownloader(progressbar=True, timeout=(ANSWER_SECONDS, READ_SECONDS))
    try:
        attempts(get, url, str(target), None)
    except requests.RequestException as error:
        raise _Refused(f"{type(error).__name__}: {error}") from None
