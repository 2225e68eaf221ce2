"""Raw files, verified by SHA-256 before anyone reads them: from here, from a mirror, or from their public address."""

import os
import shutil
import socket
import threading
import time
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from modelyard.config import Settings
from modelyard.errors import ModelyardError
from modelyard.files import sha256, whole_file, write_text

ANSWER_SECONDS = 2.0  # a host that has not accepted a connection by then is out of reach
READ_SECONDS = 30.0
ATTEMPTS = 3

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class FetchSettings(Settings):
    """Where to look before the public address."""

    mirrors: tuple[str, ...] = Field(default=(), description="folders or URLs laid out as <mirror>/<folder>/<file>")


class Source(Settings):
    """Where one file comes from: a public address, an installed package, this machine, or params.yaml itself."""

    url: str | None = Field(default=None, pattern=r"^https?://")
    package: str | None = Field(default=None, description="package/path/inside: data that a library brings along")
    path: str | None = Field(default=None, description="a file of yours, relative to the project")
    text: str | None = Field(default=None, description="the content itself, for a few rows")
    sha256: Sha256 | None = None

    @model_validator(mode="after")
    def _is_one_verified_place(self) -> "Source":
        given = [place for place in (self.url, self.package, self.path, self.text) if place is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of url, package, path, text")
        if (self.sha256 is None) == (self.text is None):
            raise ValueError("sha256 goes with url, package and path; `sha256sum FILE` prints it")
        return self


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
        source = self.sources[name]
        if source.path is not None:
            return [str(self.root / source.path)]
        if source.package is not None:
            package, _, inside = source.package.partition("/")
            found = find_spec(package)  # does not import it
            return [str(Path(found.origin).parent / inside) if found else f"package {package}, which is not installed"]
        if source.url is not None:
            return [f"{mirror.rstrip('/')}/{self.folder}/{name}" for mirror in self.mirrors] + [source.url]
        return []

    def all_addresses(self) -> list[str]:
        """The addresses of all files."""
        return [address for name in self.sources for address in self.addresses(name)]

    def out_of_reach(self, target: Path, reach: Reach) -> dict[str, list[str]]:
        """The files that are neither in `target` nor at an address that answers, each with the addresses asked."""
        return {
            name: self.addresses(name)
            for name, source in self.sources.items()
            if source.text is None
            and not (target / name).is_file()
            and not any(reach.has(address) for address in self.addresses(name))
        }

    def fetch(self, target: Path) -> dict[str, str]:
        """Bring every file into the folder `target`, verified; tell where each came from.

        Raises:
            ModelyardError: a file cannot be had; the text names every address tried and what to do.
        """
        target.mkdir(parents=True, exist_ok=True)
        reach = Reach(self.all_addresses())
        origins = {name: self._fetch_file(name, target / name, reach) for name in self.sources}
        for stray in set(target.iterdir()) - {target / name for name in self.sources}:
            shutil.rmtree(stray) if stray.is_dir() else stray.unlink()
        return origins

    def _fetch_file(self, name: str, target: Path, reach: Reach) -> str:
        source = self.sources[name]
        if source.text is not None:
            write_text(target, source.text)
            return "params.yaml"
        if target.is_file() and sha256(target) == source.sha256:
            return "already here, verified"
        failures = []
        for address in self.addresses(name):
            try:
                _bring(address, target, source.sha256, reach)
                return address
            except _Refused as refusal:
                failures.append(f"{address}: {refusal}")
        raise ModelyardError(cannot_be_had({name: failures}, self.folder))


def cannot_be_had(tried: Mapping[str, list[str]], folder: str) -> str:
    """What to tell a person whose files cannot be had: the files, every address tried, what to do."""
    lines = []
    for name, addresses in tried.items():
        lines += [f"{name} cannot be had. Tried:", *(f"  {address}" for address in addresses)]
    lines.append(
        f"What to do: connect to the network and run again; or put the file at <mirror>/{folder}/<file> "
        "and name the mirror (a folder or a URL) in the environment, MODELYARD_MIRROR=<mirror>, "
        "or in params.yaml under fetch.mirrors."
    )
    return "\n".join(lines)


def all_mirrors(settings: FetchSettings, root: Path) -> tuple[str, ...]:
    """The mirror of MODELYARD_MIRROR first, then those of params.yaml; folders as absolute paths."""
    named = [os.environ.get("MODELYARD_MIRROR", ""), *settings.mirrors]
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


def _bring(address: str, target: Path, expected: str, reach: Reach) -> None:
    """Copy or download one file; it takes its place only when its checksum is right."""
    if not reach.has(address):
        raise _Refused(f"no answer within {ANSWER_SECONDS:g} s" if _is_url(address) else "no such file")
    with whole_file(target) as temporary:
        if _is_url(address):
            _download(address, temporary)
        else:
            shutil.copyfile(address, temporary)
        found = sha256(temporary)
        if found != expected:
            raise _Refused(f"wrong content: its SHA-256 is {found}, params.yaml says {expected}")


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
