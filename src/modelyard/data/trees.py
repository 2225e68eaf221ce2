"""A tree of files: the user's own folder, or a zip or tar archive of one; its names, contents and checksum."""

import hashlib
import lzma
import os
import re
import stat
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import TypeVar

from modelyard.core.errors import ModelyardError
from modelyard.core.files import read_json, write_json
from modelyard.core.progress import counted

LITTER = re.compile(r"\..*|__MACOSX|Thumbs\.db|ehthumbs\.db|desktop\.ini|@eaDir|Icon\r", re.IGNORECASE)
"""Names that are passed over, of files and folders: what file managers leave behind, and hidden files."""
MOST_BYTES = 512 * 2**20  # of one file, which is read as a whole
SETTLED_SECONDS = 2.0  # a file that changed later may change again without another time stamp

Entry = TypeVar("Entry")


@dataclass(frozen=True)
class Tree:
    """The files of a folder or an archive.

    Attributes:
        names: the path of each file, with slashes, in the order in which they are read fastest; litter is left out.
        read: returns the content of a file.
    """

    names: list[str]
    read: Callable[[str], bytes]

    def contents(self, what: str) -> Iterator[tuple[str, bytes]]:
        """Yield each name with its content, and print the progress of `what`."""
        return ((name, self.read(name)) for name in counted(self.names, len(self.names), what))


@contextmanager
def open_tree(path: Path, shown: str = "") -> Iterator[Tree]:
    """Open a folder or an archive; nothing is unpacked.

    Args:
        path: the folder, or a zip or tar file, compressed or not.
        shown: its name in errors, if it is not the path.

    Raises:
        ModelyardError: it is empty, has an empty folder, a link that leads outside or a file that is none, or it is a
            broken or encrypted archive. Within the block: a file has more than MOST_BYTES, or the archive is broken.
    """
    shown = shown or str(path)
    try:
        if path.is_dir():
            yield Tree(_names_in(path, shown), lambda name: _read_file(path, name))
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                yield _zip_tree(archive, shown)
        else:
            with tarfile.open(path) as archive:
                yield _tar_tree(archive, shown)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError) as error:
        reason = str(error).splitlines()[0]
        raise ModelyardError(f"{shown}: neither a folder nor a whole zip or tar archive ({reason})") from None


def is_tree(path: Path) -> bool:
    """Return whether a path is a folder, a tar archive, or a zip archive of several files."""
    if path.is_dir():
        return True
    if not path.is_file():
        return False
    if zipfile.is_zipfile(path):
        with suppress(zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
            return sum(not entry.is_dir() and not is_litter(entry.filename) for entry in archive.infolist()) > 1
    return tarfile.is_tarfile(path)


def hash_files(path: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a folder or an archive.

    Raises:
        ModelyardError: see `open_tree`.
    """
    with open_tree(path) as tree:
        return {name: hashlib.sha256(content).hexdigest() for name, content in tree.contents("checking files")}


def tree_checksum(hashes: Mapping[str, str]) -> str:
    """Return one checksum for all files: that of what `sha256sum` prints for them, sorted by the bytes of their names.

    In the folder, `find * -type f | LC_ALL=C sort | xargs sha256sum | sha256sum` prints it, if names have no blanks.
    """
    listing = hashlib.sha256()
    for name in sorted(hashes, key=os.fsencode):
        listing.update(f"{hashes[name]}  ".encode() + os.fsencode(name) + b"\n")
    return listing.hexdigest()


def checksum_of(path: Path) -> str:
    """Return the checksum of a folder or an archive: equal for both, if their files are equal.

    Raises:
        ModelyardError: see `open_tree`.
    """
    return tree_checksum(hash_files(path))


def kept_checksum_of(folder: Path, notes: Path) -> str:
    """Return the checksum of a folder, from the last time if no size, time stamp or name has changed since.

    Args:
        folder: the folder; nothing is written into it.
        notes: the folder that keeps checksums.

    Raises:
        ModelyardError: see `open_tree`.
    """
    stamp, latest = _stamp(folder)
    note = notes / f"{hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()}.json"
    with suppress(ModelyardError, OSError, KeyError, TypeError):  # none yet, or a broken one
        kept = read_json(note)
        if kept["stamp"] == stamp:
            return str(kept["checksum"])
    checksum = checksum_of(folder)
    if latest < time.time() - SETTLED_SECONDS:
        with suppress(OSError):  # a project that may only be read
            write_json(note, {"folder": str(folder), "stamp": stamp, "checksum": checksum})
    return checksum


def pack(folder: Path, target: Path) -> None:
    """Write the files of a folder into a tar archive whose bytes depend on their names and contents alone.

    Raises:
        ModelyardError: see `open_tree`.
    """
    with open_tree(folder) as tree, tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in tree.contents("copying files"):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, BytesIO(content))


def is_litter(name: str) -> bool:
    """Return whether a file is passed over, by its path with slashes."""
    return any(LITTER.fullmatch(part) for part in name.split("/"))


def _read_file(folder: Path, name: str) -> bytes:
    file = folder / name
    _refuse_large(str(file), file.stat().st_size)
    return file.read_bytes()


def _refuse_large(name: str, size: int) -> None:
    if size > MOST_BYTES:
        raise ModelyardError(
            f"{name}: {size / 2**20:,.0f} MiB, and at most {MOST_BYTES // 2**20} MiB are read: take it out, or make it "
            "smaller"
        )


def _names_in(folder: Path, shown: str) -> list[str]:
    return sorted(_walk(folder, "", shown), key=os.fsencode)


def _walk(folder: Path, inside: str, shown: str) -> Iterator[str]:
    with os.scandir(folder / inside) as found:
        entries = [entry for entry in found if not LITTER.fullmatch(entry.name)]
    if not entries:
        raise ModelyardError(f"{shown}/{inside}".rstrip("/") + " is an empty folder: fill it, or remove it")
    for entry in entries:
        name = inside + entry.name
        if entry.is_symlink():
            _check_link(folder, name, shown)
        if entry.is_dir():
            yield from _walk(folder, f"{name}/", shown)
        elif entry.is_file():
            yield name
        else:
            raise ModelyardError(f"{shown}: {name} is no file, but a pipe or a device: remove it")


def _check_link(folder: Path, name: str, shown: str) -> None:
    """Refuse a link, unless it leads to a file of the same folder."""
    target = Path(os.path.realpath(folder / name))
    if not target.exists():
        raise ModelyardError(f"{shown}: {name} is a link that leads to no file: remove it")
    if not target.is_relative_to(os.path.realpath(folder)):
        raise ModelyardError(
            f"{shown}: {name} is a link that leads outside of the folder, to {target}: copy what it leads to"
        )
    if target.is_dir():
        raise ModelyardError(f"{shown}: {name} is a link to another folder, {target}: copy it, or remove the link")


def _stamp(folder: Path) -> tuple[str, float]:
    """A checksum of the names, sizes and time stamps of all files, and the time of the latest change."""
    stamp, latest = hashlib.sha256(), 0
    for name in _names_in(folder, str(folder)):
        found = (folder / name).stat()
        latest = max(latest, found.st_mtime_ns, found.st_ctime_ns)
        numbers = f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino}"
        stamp.update(os.fsencode(name) + f"\0{numbers}\n".encode())
    return stamp.hexdigest(), latest / 1e9


def _zip_tree(archive: zipfile.ZipFile, shown: str) -> Tree:
    entries: dict[str, zipfile.ZipInfo] = {}
    for entry in archive.infolist():
        name = _checked(entry.filename.replace("\\", "/"), stat.S_ISLNK(entry.external_attr >> 16), shown)  # of Windows
        if entry.is_dir() or is_litter(name):
            continue
        if entry.flag_bits & 1:
            raise ModelyardError(f"{shown}: {name} in the archive is encrypted: pack it again without a password")
        _add(entries, name, entry, shown)

    def read(name: str) -> bytes:
        _refuse_large(f"{shown}: {name}", entries[name].file_size)
        try:
            return archive.read(entries[name])
        except NotImplementedError as error:
            raise ModelyardError(f"{shown}: {name} cannot be unpacked ({error}): pack it again") from None

    return Tree(_filled(entries, shown), read)


def _tar_tree(archive: tarfile.TarFile, shown: str) -> Tree:
    entries: dict[str, tarfile.TarInfo] = {}
    for entry in archive:
        name = _checked(entry.name, entry.issym() or entry.islnk(), shown)
        if entry.isdir() or is_litter(name):
            continue
        if not entry.isreg():
            raise ModelyardError(f"{shown}: {name} in the archive is no file, but a pipe or a device: pack it without")
        _add(entries, name, entry, shown)
    _check_end(archive)

    def read(name: str) -> bytes:
        _refuse_large(f"{shown}: {name}", entries[name].size)
        content = archive.extractfile(entries[name])
        if content is None:
            raise ModelyardError(f"{shown}: {name} in the archive is no file")
        with content:
            return content.read()

    return Tree(_filled(entries, shown), read)


def _check_end(archive: tarfile.TarFile) -> None:
    """Refuse an archive that was cut off: tarfile ends without an error where it finds no further header."""
    content = archive.fileobj
    if content is not None:
        content.seek(archive.offset)
        if content.read(tarfile.BLOCKSIZE).strip(b"\0") or content.tell() < archive.offset + tarfile.BLOCKSIZE:
            raise tarfile.ReadError("its end is missing")


def _checked(name: str, is_link: bool, shown: str) -> str:
    """The path of a member of an archive, without `./`."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or re.match("[A-Za-z]:/", name):
        raise ModelyardError(f"{shown}: refused: the archive holds {name!r}, a path that leads outside of it")
    if is_link:
        raise ModelyardError(f"{shown}: refused: {name} in the archive is a link: pack the file itself (tar -h)")
    return str(path)


def _add(entries: dict[str, Entry], name: str, entry: Entry, shown: str) -> None:
    if name in entries:
        raise ModelyardError(f"{shown}: refused: the archive holds {name} twice")
    entries[name] = entry


def _filled(entries: Mapping[str, object], shown: str) -> list[str]:
    if not entries:
        raise ModelyardError(f"{shown}: the archive is empty")
    return list(entries)
