"""Places that are tried before a file's public addresses: named mirrors, the user's cache, the system's data sets."""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from modelyard.core.config import Settings
from modelyard.core.files import atomic_file

MIRRORS = "MODELYARD_MIRROR"
CACHE = "MODELYARD_CACHE"
SYSTEM_DATASETS = "/usr/share/datasets"  # where Debian's packages `dataset-...` put their files

# A URL ends at the next colon, but for those of its password, IPv6 address and port; one in its path is written %3A.
_MIRROR = re.compile(
    r"https?://(?:[^/@\[\]]*@)?(?:\[[^\]/]*\]|[^:/\[\]]*)(?::\d+(?=[:/]|$))?(?:/[^:]*)?|[^:]+", re.IGNORECASE
)


class FetchSettings(Settings):
    """Where to look before the public URLs."""

    mirrors: tuple[str, ...] | None = Field(
        default=(), description="folders or URLs laid out as <mirror>/<folder>/<file>; left empty for none"
    )


class Cache:
    """A folder laid out as a mirror, shared between checkouts, to which every verified download is added."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._is_writable = True

    def add(self, file: Path, name: str) -> None:
        """Add a file as <folder>/<file>, or replace it; what prevents that is printed once and is no error."""
        if not self._is_writable:
            return
        try:
            with atomic_file(self.folder / name) as temporary:
                shutil.copyfile(file, temporary)
        except OSError as error:
            self._is_writable = False
            print(f"note: downloads are not kept in {self.folder}: {error.strerror}", file=sys.stderr)  # noqa: T201


def find_cache() -> Cache | None:
    """Return the cache that MODELYARD_CACHE names, else the one in the user's cache folder; None for `off`."""
    named = os.environ.get(CACHE, "")
    if named == "off":
        return None
    if named:
        return Cache(_expanded(named).absolute())
    import platformdirs

    try:
        return Cache(platformdirs.user_cache_path("modelyard") / "datasets")
    except RuntimeError:  # a user without a home
        return None


def all_mirrors(settings: FetchSettings, root: Path, cache: Cache | None = None) -> tuple[str, ...]:
    """Return every mirror in the order in which they are tried; folders as absolute paths.

    These are the ones of MODELYARD_MIRROR, those of params.yaml, the cache, and the data sets of the system.
    """
    named = dict.fromkeys((*split_mirrors(os.environ.get(MIRRORS, "")), *(settings.mirrors or ())))
    return (*_absolute(named, root), *([str(cache.folder)] if cache else []), SYSTEM_DATASETS)


def split_mirrors(text: str) -> list[str]:
    """Return the folders and URLs of a text that separates them by colons, as PATH does."""
    return _MIRROR.findall(text)


def is_url(address: str) -> bool:
    """Return whether a mirror or the place of a file is a URL; all others are paths."""
    return address.lower().startswith(("http://", "https://"))


def _absolute(mirrors: dict[str, None], root: Path) -> Iterator[str]:
    for mirror in filter(None, mirrors):
        yield mirror if is_url(mirror) else str((root / _expanded(mirror)).resolve())


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:  # there is no such user, or this one has no home
        return Path(path)
