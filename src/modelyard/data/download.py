"""Raw files from this machine, a mirror or a public URL, verified by checksum before anything reads them."""

import os
import shutil
import socket
import sys
import threading
import time
import urllib.request
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from modelyard.core.addresses import mask_in, masked
from modelyard.core.errors import ModelyardError
from modelyard.core.files import atomic_file, temporary_file, write_text
from modelyard.data.archives import decompress, unpack
from modelyard.data.mirrors import Cache, is_url
from modelyard.data.sources import Checksum, Source, dvc_remedy
from modelyard.data.trees import pack

CONNECT_SECONDS = 2.0  # a host that has not accepted a connection by then counts as unreachable
READ_SECONDS = 30.0
ATTEMPTS = 3


class _Location(NamedTuple):
    """A path or URL, the name that the file there has in a mirror, and its checksum."""

    address: str
    name: str
    checksum: Checksum


class _Refused(Exception):
    """One location did not give the file; the text has the reason."""


class _WrongContent(_Refused):
    """One location gave another file."""


class HostReachability:
    """Which hosts accept a connection; all are tried once and at once, so that silent ones cost CONNECT_SECONDS."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self._hosts = {_host(address) for address in addresses if is_url(address)}
        self._accepted: dict[tuple[str, int], bool] | None = None

    def reachable(self, address: str) -> bool:
        """Return whether the file of a path exists, or the host of a URL accepts connections."""
        if not is_url(address):
            return _exists(Path(address))
        if self._accepted is None:
            self._accepted = _try_hosts(self._hosts)
        return self._accepted.get(_host(address), False)


@dataclass(frozen=True)
class FileSet:
    """The files of one data set and the locations where they may be available.

    Args:
        folder: the folder of the data set inside a mirror.
        mirrors: folders and URLs that are tried before the public addresses, the cache's folder among them.
        root: the folder to which the paths of the user's own files are relative.
        cache: gets what is downloaded.
        debian: a Debian package that brings these files, or "".
    """

    sources: Mapping[str, Source]
    folder: str
    mirrors: tuple[str, ...]
    root: Path = field(default_factory=Path.cwd)
    cache: Cache | None = None
    debian: str = ""

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
        """Return the files that are neither in `target` nor at a reachable address, and the addresses of each."""
        return {
            name: list(map(masked, self.addresses(name)))
            for name, source in self.sources.items()
            if source.text is None
            and not self.is_present(name, target)
            and not any(hosts.reachable(address) for address in self.addresses(name))
        }

    def unavailable_message(self, tried: Mapping[str, list[str]]) -> str:
        """Return the error message for files that are not available: their names, what was tried, what to do.

        The first line is enough where the reader knows about mirrors: it has the names, and what else brings them.
        """
        names = ", ".join(" or ".join((name, *self.sources[name].alternatives)) for name in tried)
        paths = {name: path for name in tried if (path := self.sources[name].path)}
        kept = {name: advice for name, path in paths.items() if (advice := dvc_remedy(self.root / path, self.root))}
        remedies = dict.fromkeys(self.sources[name].remedy(self.folder) for name in tried if name not in kept)
        package = f" On Debian or Ubuntu: apt-get install {self.debian}." if self.debian else ""
        pulls = "".join(f" {advice}." for advice in dict.fromkeys(kept.values()))
        lines = [f"Not available: {names}.{package}{pulls}", "Tried:"]
        lines += [f"  {address}" for of_file in tried.values() for address in of_file]
        lines += [f"What to do: {'; '.join(remedies)}."] if remedies else []
        return "\n".join(lines)

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
            return [_Location(str(self.root / source.path), name, source.checksum)]
        if source.package is not None:
            package, _, inside = source.package.partition("/")
            spec = find_spec(package)  # does not import it
            if spec is None or spec.origin is None:
                return [_Location(f"package {package}, which is not installed", name, source.checksum)]
            return [_Location(str(Path(spec.origin).parent / inside), name, source.checksum)]
        public = (_Location(url, name, source.checksum) for url in source.url or ())
        return [*self._mirrored(name), *public] if source.url else []

    def _mirrored(self, name: str) -> Iterator[_Location]:
        source = self.sources[name]
        alternatives = {other: Checksum("sha256", value) for other, value in source.alternatives.items()}
        for mirror in self.mirrors:
            for file, expected in ({name: source.checksum} | alternatives).items():
                yield _Location(f"{mirror.rstrip('/')}/{self.folder}/{file}", file, expected)

    def _fetch_file(self, name: str, folder: Path, hosts: HostReachability) -> str:
        source = self.sources[name]
        if source.text is not None:
            write_text(folder / name, source.text)
            return "params.yaml"
        if _is_verified(source, name, folder):
            return "already here, verified"
        failures: list[str] = []
        wrong: dict[str, str] = {}
        for location in self._locations(name):
            try:
                self._fetch_from(location, name, folder, hosts, wrong)
            except _Refused as refusal:
                failures.append(f"{masked(location.address)}: {mask_in(str(refusal), location.address)}")
                if isinstance(refusal, _WrongContent):
                    wrong[location.address] = str(refusal)
            else:
                for address, reason in wrong.items():
                    print(f"note: {masked(address)} was ignored: {reason}", file=sys.stderr)  # noqa: T201
                return masked(location.address)
        raise ModelyardError(self.unavailable_message({name: failures}))

    def _fetch_from(
        self, location: _Location, name: str, folder: Path, hosts: HostReachability, wrong: Container[str]
    ) -> None:
        """Bring one file, or the members of an archive, from one location.

        What was downloaded is added to the cache, and so is what replaces a cached file that is in `wrong`: the
        addresses that gave other content.
        """
        address, in_mirror = location.address, f"{self.folder}/{location.name}"
        is_remote = is_url(address)
        if not hosts.reachable(address):
            raise _Refused(f"no answer within {CONNECT_SECONDS:g} s" if is_remote else "no such file")
        if not is_remote and not self.sources[name].is_at(Path(address)):
            raise _Refused("a folder, not a file" if Path(address).is_dir() else "a file, not a folder")
        if not is_remote and not os.access(address, os.R_OK):
            raise _Refused("no permission to read it")
        with temporary_file(folder / name) if is_remote else nullcontext(Path(address)) as file:
            if is_remote:
                _download(address, file)
            _write_verified(file, location.checksum, self.sources[name], folder / name)
            if self.cache and (is_remote or str(self.cache.folder / in_mirror) in wrong):
                self.cache.add(file, in_mirror)


def _exists(path: Path) -> bool:
    try:
        return path.is_file() or path.is_dir()
    except OSError:  # in a folder that may not be opened
        return False


def _host(address: str) -> tuple[str, int]:
    """Return the host to connect to for a URL: its own, or that of the proxy in charge of it."""
    scheme = address.partition(":")[0]
    try:
        parts = urlsplit(address)
        proxy = urllib.request.getproxies().get(scheme)
        if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
            parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:  # its text may hold a password
        raise ModelyardError(
            f"the address of a proxy or mirror has no valid host and port. Correct {scheme}_proxy in the environment "
            "(http://host:port), or the mirror."
        ) from None


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
    return all(
        (folder / file).is_file() and expected.actual(folder / file) == expected.value
        for file, expected in source.written_files(name).items()
    )


def _write_verified(file: Path, expected: Checksum, source: Source, target: Path) -> None:
    """Write what a source keeps of a file; it gets its name only when all checksums are right."""
    try:
        if source.members:
            _verify(expected, expected.actual(file))
            print(f"{target.name}: unpacking", file=sys.stderr)  # noqa: T201
            unpack(file, source.members, target.parent)
            return
        ((name, checksum_of_kept),) = source.written_files(target.name).items()
        with atomic_file(target.with_name(name)) as temporary:
            write = pack if expected.tree else decompress if expected.decompressed else shutil.copyfile
            write(file, temporary)
            _verify(expected, checksum_of_kept.actual(temporary))
    except ModelyardError as error:  # of an archive
        raise _WrongContent(str(error)) from None


def _verify(expected: Checksum, actual: str) -> None:
    if actual != expected.value:
        raise _WrongContent(f"wrong content: its {expected.mismatch(actual)}")


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
