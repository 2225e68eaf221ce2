"""Raw files from this machine, a mirror or their public URL, verified by checksum before anything reads them."""

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
from modelyard.core.files import atomic_file, checksum, temporary_file, write_text
from modelyard.data.archives import unpack
from modelyard.data.sources import Checksum, Source

CONNECT_SECONDS = 2.0  # a host that has not accepted a connection by then counts as unreachable
READ_SECONDS = 30.0
ATTEMPTS = 3


class FetchSettings(Settings):
    """Where to look before the public URL."""

    mirrors: tuple[str, ...] | None = Field(
        default=(), description="folders or URLs laid out as <mirror>/<folder>/<file>; left empty for none"
    )


class _Location(NamedTuple):
    """A path or URL, and the checksum of the file there."""

    address: str
    checksum: Checksum


class _Refused(Exception):
    """One location did not give the file; the text has the reason."""


class HostReachability:
    """Which hosts accept a connection; all are tried once and at once, so that silent ones cost CONNECT_SECONDS."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self._hosts = {_host(address) for address in addresses if _is_url(address)}
        self._accepted: dict[tuple[str, int], bool] | None = None

    def reachable(self, address: str) -> bool:
        """Return whether the file of a path exists, or the host of a URL accepts connections."""
        if not _is_url(address):
            return Path(address).is_file()
        if self._accepted is None:
            self._accepted = _try_hosts(self._hosts)
        return self._accepted.get(_host(address), False)


@dataclass(frozen=True)
class FileSet:
    """The files of one data set and the locations where they may be available."""

    sources: Mapping[str, Source]
    folder: str
    mirrors: tuple[str, ...]
    root: Path = field(default_factory=Path.cwd)

    def addresses(self, name: str) -> list[str]:
        """Return every path or URL of a file, in the order in which they are tried."""
        return [location.address for location in self._locations(name)]

    def all_addresses(self) -> list[str]:
        """Return the addresses of all files."""
        return [address for name in self.sources for address in self.addresses(name)]

    def is_present(self, name: str, target: Path) -> bool:
        """Return whether the folder `target` has all that fetching a file writes; contents are not read."""
        return all((target / file).is_file() for file in self.sources[name].file_names(name))

    def edited_messages(self) -> dict[str, str]:
        """Return the user's own files that have another checksum than params.yaml's, each with what to do about it."""
        messages = {name: source.edited_message(self.root) for name, source in self.sources.items()}
        return {name: message for name, message in messages.items() if message}

    def unreachable(self, target: Path, hosts: HostReachability) -> dict[str, list[str]]:
        """Return the files that are neither in `target` nor at a reachable address, each with its addresses."""
        return {
            name: self.addresses(name)
            for name, source in self.sources.items()
            if source.text is None
            and not self.is_present(name, target)
            and not any(hosts.reachable(address) for address in self.addresses(name))
        }

    def unavailable_message(self, tried: Mapping[str, list[str]]) -> str:
        """Return the error message for files that are not available: their names, what was tried, what to do."""
        names = ", ".join(" or ".join((name, *self.sources[name].alternatives)) for name in tried)
        remedies = dict.fromkeys(self.sources[name].remedy(self.folder) for name in tried)
        addresses = (f"  {address}" for of_file in tried.values() for address in of_file)
        return "\n".join((f"Not available: {names}.", "Tried:", *addresses, f"What to do: {'; '.join(remedies)}."))

    def fetch(self, target: Path) -> dict[str, str]:
        """Bring every file into the folder `target`, verified, and remove all else from it.

        Returns:
            The origin of each file.

        Raises:
            ModelyardError: a file is not available, or one of the user's own was edited; the text names every address
                tried and what to do.
        """
        if edited := self.edited_messages():  # an earlier copy may still have the checksum of params.yaml
            raise ModelyardError("\n".join(edited.values()))
        target.mkdir(parents=True, exist_ok=True)
        hosts = HostReachability(self.all_addresses())
        origins = {name: self._fetch_file(name, target, hosts) for name in self.sources}
        expected = {target / file for name, source in self.sources.items() for file in source.file_names(name)}
        for stray in set(target.iterdir()) - expected:
            shutil.rmtree(stray) if stray.is_dir() else stray.unlink()
        return origins

    def _locations(self, name: str) -> list[_Location]:
        source = self.sources[name]
        if source.path is not None:
            return [_Location(str(self.root / source.path), source.checksum)]
        if source.package is not None:
            package, _, inside = source.package.partition("/")
            spec = find_spec(package)  # does not import it
            if spec is None or spec.origin is None:
                return [_Location(f"package {package}, which is not installed", source.checksum)]
            return [_Location(str(Path(spec.origin).parent / inside), source.checksum)]
        if source.url is not None:
            return [*self._mirrored(name), _Location(source.url, source.checksum)]
        return []

    def _mirrored(self, name: str) -> Iterator[_Location]:
        source = self.sources[name]
        alternatives = {other: Checksum("sha256", value) for other, value in source.alternatives.items()}
        for mirror in self.mirrors:
            for file, expected in ({name: source.checksum} | alternatives).items():
                yield _Location(f"{mirror.rstrip('/')}/{self.folder}/{file}", expected)

    def _fetch_file(self, name: str, folder: Path, hosts: HostReachability) -> str:
        source = self.sources[name]
        if source.text is not None:
            write_text(folder / name, source.text)
            return "params.yaml"
        if _is_verified(source, name, folder):
            return "already here, verified"
        failures = []
        for location in self._locations(name):
            try:
                _fetch_from(location, source, folder / name, hosts)
                return location.address
            except (_Refused, ModelyardError) as refusal:
                failures.append(f"{location.address}: {refusal}")
        raise ModelyardError(self.unavailable_message({name: failures}))


def all_mirrors(settings: FetchSettings, root: Path) -> tuple[str, ...]:
    """Return the mirror of MODELYARD_MIRROR, then those of params.yaml; folders as absolute paths."""
    mirrors = filter(None, [os.environ.get("MODELYARD_MIRROR", ""), *(settings.mirrors or ())])
    return tuple(mirror if _is_url(mirror) else str((root / Path(mirror).expanduser()).resolve()) for mirror in mirrors)


def _is_url(address: str) -> bool:
    return address.startswith(("http://", "https://"))


def _host(address: str) -> tuple[str, int]:
    """Return the host to connect to for a URL: its own, or that of the proxy in charge of it."""
    parts = urlsplit(address)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _try_hosts(hosts: set[tuple[str, int]]) -> dict[tuple[str, int], bool]:
    accepted = dict.fromkeys(hosts, False)
    # Daemon threads: a name look-up cannot be timed out, and must not delay the end of the process.
    threads = [threading.Thread(target=_try_host, args=(host, accepted), daemon=True) for host in hosts]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + CONNECT_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return dict(accepted)


def _try_host(host: tuple[str, int], accepted: dict[tuple[str, int], bool]) -> None:
    try:
        socket.create_connection(host, timeout=CONNECT_SECONDS).close()
        accepted[host] = True
    except OSError:
        pass


def _is_verified(source: Source, name: str, folder: Path) -> bool:
    expected = {member: Checksum("md5", value) for member, value in source.members.items()} or {name: source.checksum}
    return all(
        (folder / file).is_file() and checksum(folder / file, method) == value
        for file, (method, value) in expected.items()
    )


def _fetch_from(location: _Location, source: Source, target: Path, hosts: HostReachability) -> None:
    """Bring one file, or the members of an archive; they get their names only when all checksums are right."""
    if not source.members:
        with atomic_file(target) as temporary:
            _copy_verified(location, temporary, hosts)
        return
    with temporary_file(target) as temporary:
        _copy_verified(location, temporary, hosts)
        print(f"{target.name}: unpacking", file=sys.stderr)  # noqa: T201
        unpack(temporary, source.members, target.parent)


def _copy_verified(location: _Location, temporary: Path, hosts: HostReachability) -> None:
    address, expected = location
    if not hosts.reachable(address):
        raise _Refused(f"no answer within {CONNECT_SECONDS:g} s" if _is_url(address) else "no such file")
    if _is_url(address):
        _download(address, temporary)
    else:
        shutil.copyfile(address, temporary)
    actual = checksum(temporary, expected.method)
    if actual != expected.value:
        raise _Refused(f"wrong content: its {expected.mismatch(actual)}")


def _download(url: str, target: Path) -> None:
    """Download with a progress bar, and with retries where another attempt can help."""
    # pooch.retrieve would verify and rename too, but only files of URLs, and its Untar verifies no member: mirrors that
    # are folders, packages and archives would need the code above all the same. So only its downloader is used.
    import pooch
    import requests
    from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

    def is_transient(error: BaseException) -> bool:
        status = getattr(getattr(error, "response", None), "status_code", None)
        return isinstance(error, requests.RequestException) and (
            status is None or status in (408, 429) or status >= 500
        )

    attempts = Retrying(
        retry=retry_if_exception(is_transient),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential(multiplier=0.5, max=4),
        reraise=True,
    )
    get = pooch.HTTPDownloader(progressbar=True, timeout=(CONNECT_SECONDS, READ_SECONDS))
    try:
        attempts(get, url, str(target), None)
    except requests.RequestException as error:
        raise _Refused(f"{type(error).__name__}: {error}") from None
