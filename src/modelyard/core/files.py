"""Atomic writes, checksums, and file formats whose bytes depend on the content only."""

import errno
import glob
import hashlib
import json
import os
import secrets
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from modelyard.core.errors import ModelyardError

if TYPE_CHECKING:
    import pandas as pd


TABLE_ENDINGS = (".csv", ".parquet")
"""How a file that `write_tables` writes may end; any other is CSV too."""

SYSTEM = (Path("/dev"), Path("/proc"))
"""Folders in which nothing is replaced."""

_OLD_SECONDS = 3600.0  # after which a temporary file is one that no process writes any more


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    return checksum(path, "sha256")


def checksum(path: Path, method: Literal["sha256", "md5"]) -> str:
    """Return the checksum of a file, in hexadecimal; MD5 detects damage, but not forgery."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(method, usedforsecurity=False)).hexdigest()


@contextmanager
def atomic_file(path: Path, follows_link: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and rename it to `path` only if the block succeeds.

    A link is replaced: what it leads to may be of DVC's cache, or of another project. With `follows_link` what it
    leads to is replaced instead. A pipe, and what lies in a folder of SYSTEM, is written in place.
    """
    if _is_written_in_place(path):
        yield path
        return
    target = Path(os.path.realpath(path)) if follows_link and path.is_symlink() else path
    with temporary_file(target) as temporary:
        yield temporary
        temporary.replace(target)


def _is_written_in_place(path: Path) -> bool:
    folder = Path(os.path.realpath(path.parent))
    if any(folder.is_relative_to(each) for each in SYSTEM):  # /dev/stdout is a file if it was redirected to one
        return True
    return path.exists() and not (path.is_file() or path.is_dir())


@contextmanager
def temporary_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and delete it when the block ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_left_over(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")  # containers may have equal process ids
    try:
        yield temporary
    except OSError as error:
        if error.filename in (None, str(temporary)):  # on a full disk it names no file
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path, replace: bool = True) -> Iterator[Path]:
    """Yield a temporary folder beside `path`, and rename it to `path` only if the block succeeds.

    Args:
        path: the folder.
        replace: whether it takes the place of a folder that is there already.

    Raises:
        OSError: it cannot be made; FileExistsError without `replace`, if there is something at `path` in the end.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_left_over(path)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
    except OSError as error:
        error.filename = str(path)
        raise
    try:
        temporary.chmod(0o755)  # mkdtemp's 0o700 would hide the results from other users
        yield temporary
        if not replace:
            _rename_to_new(temporary, path)
        elif path.exists():  # renamed first: a half-deleted folder must never have this name
            replaced = temporary.with_suffix(".old.part")
            path.replace(replaced)
            temporary.replace(path)
            shutil.rmtree(replaced)
        else:
            temporary.replace(path)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _rename_to_new(folder: Path, path: Path) -> None:
    """Give a folder a name that nothing has.

    A rename replaces an empty folder of anyone. The one that it may replace is therefore made here, which fails if
    there is anything of that name; and it fails itself if that folder has got a file in the meantime.
    """
    path.mkdir()
    try:
        folder.rename(path)
    except OSError:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None


def _remove_left_over(path: Path) -> None:
    """Remove the temporary files and folders that killed runs have left beside a path."""
    for other in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        if not is_left_over(other):
            continue
        if other.is_dir():
            shutil.rmtree(other, ignore_errors=True)
        else:
            with suppress(OSError):  # it may be another user's
                other.unlink()


def is_left_over(path: Path) -> bool:
    """Return whether a temporary file or folder is of a killed run; a process may still write a younger one."""
    try:
        last_change = max(each.lstat().st_mtime for each in (path, *path.rglob("*")))
    except FileNotFoundError:  # it was renamed just now
        return False
    return time.time() - last_change > _OLD_SECONDS


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_text(path: Path) -> str:
    """Read a text file in UTF-8.

    Raises:
        ModelyardError: it is not text in UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ModelyardError(
            f"{path}: not text in UTF-8 (byte {error.start} is {error.object[error.start]:#04x}). Save it as UTF-8, or "
            "restore it from git."
        ) from None


def conflict_message(text: str, path: Path) -> str:
    """Return where a text has an unresolved merge conflict and how to resolve it, or "" if it has none."""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith(("<<<<<<< ", ">>>>>>> ")) or line == "=======":
            return (
                f"{path}, line {number}: unresolved merge conflict ({line}). Keep one side of each conflict, or of "
                f"the whole file: git checkout --ours {path} (or --theirs). `modelyard run` then builds what differs."
            )
    return ""


def copy_folder(source: Path, target: Path, left_out: Callable[[str], object]) -> None:
    """Copy a folder with all that it holds, links as what they lead to; those that lead nowhere are passed over.

    Args:
        source: the folder.
        target: where it is copied to; files in a folder that is there already are replaced.
        left_out: whether a file or folder of this name is not copied.

    Raises:
        ModelyardError: a file cannot be copied.
    """
    try:
        shutil.copytree(
            source,
            target,
            ignore=lambda _, names: set(filter(left_out, names)),
            ignore_dangling_symlinks=True,
            dirs_exist_ok=True,
        )
    except shutil.Error as error:
        path, _, reason = error.args[0][0]
        raise ModelyardError(
            f"{path} cannot be copied: {reason}. Make it readable, make room on the disk, or remove it."
        ) from None


def write_json(path: Path, content: Any) -> None:
    """Write JSON that people can read and diff: indented, in the given order, without NaN."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        ModelyardError: it is not JSON.
    """
    return parse_json(read_text(path), path)


def parse_json(text: str, path: Path) -> Any:
    """Parse the text of a JSON file.

    Raises:
        ModelyardError: it is not JSON; `path` is the file that the error names.
    """
    try:
        return json.loads(text)
    except ValueError as error:
        raise ModelyardError(conflict_message(text, path) or f"{path}: not valid JSON ({error})") from None


def write_table(path: Path, table: "pd.DataFrame") -> None:
    """Write a table as CSV with nine significant digits, which represent every float32 exactly."""
    write_tables(path, [table])


def write_tables(path: Path, tables: Iterable["pd.DataFrame"], follows_link: bool = False) -> None:
    """Write tables with equal columns below each other, as CSV or, if the name ends so, as Parquet.

    One table is in memory at a time. Without any, no file is written. A link is treated as `atomic_file` does.
    """
    others = iter(tables)
    first = next(others, None)
    if first is not None:
        with atomic_file(path, follows_link) as temporary:
            (_write_parquet if path.suffix == ".parquet" else _write_csv)(temporary, first, others)


def _write_csv(path: Path, first: "pd.DataFrame", others: Iterable["pd.DataFrame"]) -> None:
    with path.open("a", encoding="utf-8", newline="") as file:  # standard output may be a file with something in it
        for table in chain([first], others):
            table.to_csv(file, index=False, header=table is first, float_format="%.9g", lineterminator="\n")


def _write_parquet(path: Path, first: "pd.DataFrame", others: Iterable["pd.DataFrame"]) -> None:
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    schema = pa.Schema.from_pandas(first, preserve_index=False)
    with ParquetWriter(path, schema) as file:
        for table in chain([first], others):
            file.write_table(pa.Table.from_pandas(table, schema, preserve_index=False))


def write_zip(path: Path, content: dict[str, bytes]) -> None:
    """Write a zip archive whose bytes depend on its members alone, not on the time."""
    with atomic_file(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(content):
            archive.writestr(zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0)), content[name])


def read_zip(path: Path) -> dict[str, bytes]:
    """Return all members of a zip archive, by name."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
