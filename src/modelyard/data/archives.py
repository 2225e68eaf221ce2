"""Tar archives, of which only the members that were asked for are unpacked, each verified by its MD5."""

import shutil
import tarfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path, PurePosixPath

from modelyard.core.errors import ModelyardError
from modelyard.core.files import checksum, whole_file


def unpack(archive: Path, members: Mapping[str, str], folder: Path) -> None:
    """Unpack the members of these names and MD5s into a folder, without the archive's own folders: all of them or none.

    Raises:
        ModelyardError: no whole tar archive, a member is missing, altered or no file, or any path leads outside.
    """
    try:
        # Read from front to back once: a compressed archive cannot be searched. Each file of the stack takes its place
        # at the stack's end, when all that the archive holds has been seen.
        with tarfile.open(archive, "r|*") as content, ExitStack() as places:
            _unpack(content, members, folder, places)
    except (tarfile.TarError, EOFError, TypeError) as error:  # tarfile's TypeError: the archive ends within its header
        raise ModelyardError(f"not a whole tar archive ({error})") from None


def _unpack(content: tarfile.TarFile, members: Mapping[str, str], folder: Path, places: ExitStack) -> None:
    unpacked = set()
    for entry in content:
        path = PurePosixPath(entry.name)
        if path.is_absolute() or ".." in path.parts:
            raise ModelyardError(f"refused: the archive holds {entry.name!r}, a path that leads outside of it")
        if path.name not in members:
            continue
        if path.name in unpacked:
            raise ModelyardError(f"refused: the archive holds {path.name} twice")
        temporary = places.enter_context(whole_file(folder / path.name))
        _write(content, entry, temporary)
        _verify(path.name, temporary, members[path.name])
        unpacked.add(path.name)
    missing = [name for name in members if name not in unpacked]
    if missing:
        raise ModelyardError(f"refused: the archive lacks {', '.join(missing)}")


def _write(content: tarfile.TarFile, entry: tarfile.TarInfo, target: Path) -> None:
    if not entry.isreg():
        raise ModelyardError(f"refused: {entry.name} in the archive is no regular file")
    with content.extractfile(entry) as packed, target.open("wb") as file:
        shutil.copyfileobj(packed, file)


def _verify(name: str, path: Path, expected: str) -> None:
    found = checksum(path, "md5")
    if found != expected:
        raise ModelyardError(f"refused: {name} in the archive has the MD5 {found}, params.yaml says {expected}")
