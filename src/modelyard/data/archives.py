"""Tar archives: unpack only the requested members, each verified by its MD5. Gzip files: their content."""

import gzip
import hashlib
import shutil
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import Literal

from modelyard.core.errors import ModelyardError
from modelyard.core.files import atomic_file, checksum

GZIP_MAGIC = b"\x1f\x8b"
BLOCK = 2**20  # bytes read at once
MOST_BYTES = 4 * 2**30  # of content: larger than any data set here, smaller than what fills a disk


def unpack(archive: Path, members: Mapping[str, str], folder: Path) -> None:
    """Unpack the members of these names and MD5s into a folder, without the archive's own folders: all or none.

    Raises:
        ModelyardError: the file is not a complete tar archive; a member is missing, altered, twice in it or not a
            regular file; or any path in the archive leads outside of it.
    """
    try:
        # One pass from front to back: a compressed archive has no index. The files get their names when the stack
        # ends, after the whole archive was read and verified.
        with tarfile.open(archive, "r|*") as content, ExitStack() as stack:
            _unpack(content, members, folder, stack)
    except (tarfile.TarError, EOFError, TypeError) as error:  # tarfile's TypeError: the archive ends within its header
        raise ModelyardError(f"not a complete tar archive ({error})") from None


def _unpack(content: tarfile.TarFile, members: Mapping[str, str], folder: Path, stack: ExitStack) -> None:
    unpacked = set()
    for entry in content:
        path = PurePosixPath(entry.name)
        if path.is_absolute() or ".." in path.parts:
            raise ModelyardError(f"refused: the archive holds {entry.name!r}, a path that leads outside of it")
        if path.name not in members:
            continue
        if path.name in unpacked:
            raise ModelyardError(f"refused: the archive holds {path.name} twice")
        temporary = stack.enter_context(atomic_file(folder / path.name))
        _write(content, entry, temporary)
        _verify(path.name, temporary, members[path.name])
        unpacked.add(path.name)
    missing = [name for name in members if name not in unpacked]
    if missing:
        raise ModelyardError(f"refused: the archive lacks {', '.join(missing)}")


def _write(content: tarfile.TarFile, entry: tarfile.TarInfo, target: Path) -> None:
    packed = content.extractfile(entry) if entry.isreg() else None
    if packed is None:
        raise ModelyardError(f"refused: {entry.name} in the archive is not a regular file")
    with packed, target.open("wb") as file:
        shutil.copyfileobj(packed, file)


def _verify(name: str, path: Path, expected: str) -> None:
    actual = checksum(path, "md5")
    if actual != expected:
        raise ModelyardError(f"refused: {name} in the archive has the MD5 {actual}, params.yaml has {expected}")


def decompress(file: Path, target: Path) -> None:
    """Write the content of a gzip file; a file that is not compressed is copied.

    Raises:
        ModelyardError: the file is damaged, or its content is larger than MOST_BYTES.
    """
    with target.open("wb") as content:
        content.writelines(_blocks_of_content(file))


def checksum_of_content(file: Path, method: Literal["sha256", "md5"]) -> str:
    """Return the checksum of what `decompress` would write, in hexadecimal.

    Raises:
        ModelyardError: see `decompress`.
    """
    digest = hashlib.new(method, usedforsecurity=False)
    for block in _blocks_of_content(file):
        digest.update(block)
    return digest.hexdigest()


@contextmanager
def open_content(path: Path) -> Iterator[gzip.GzipFile | BufferedReader]:
    """Open a gzip file to read its content, or a file that is not compressed as it is.

    Raises:
        ModelyardError: within the block, when the file turns out to be damaged.
    """
    with path.open("rb") as file:
        is_compressed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        file.seek(0)
        try:
            yield gzip.GzipFile(fileobj=file) if is_compressed else file
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ModelyardError(f"not a complete gzip file ({error})") from None


def _blocks_of_content(path: Path) -> Iterator[bytes]:
    size = 0
    with open_content(path) as content:
        while block := content.read(BLOCK):
            size += len(block)
            if size > MOST_BYTES:
                raise ModelyardError(f"refused: its content is larger than {MOST_BYTES / 2**30:g} GiB")
            yield block
