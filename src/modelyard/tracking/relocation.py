"""The artifacts of a project folder that was moved or copied: MLflow's database has their absolute addresses."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

# Where MLflow's tables have addresses of artifacts.
_COLUMNS = (
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
    ("model_versions", "source"),
)
_LOCK_SECONDS = 30.0


def relocate_artifacts(database: Path, artifacts: Path, experiment: str) -> list[str]:
    """Point an experiment, its runs and models to a folder of artifacts, if the database is of another place.

    MLflow has no function for that. What is only in the folder of the other place stays there.

    Args:
        database: MLflow's SQLite database, with which the folder was moved or copied.
        artifacts: the folder; its name is the same in the other place.
        experiment: the name of the experiment.

    Returns:
        Lines that say what was done; none if nothing was.
    """
    if not database.is_file() or database.is_symlink():  # a link leads to a database that others use
        return []
    here = artifacts.as_uri()
    with closing(sqlite3.connect(f"file:{quote(str(database))}?mode=rw", uri=True, timeout=_LOCK_SECONDS)) as opened:
        there = _location(opened, experiment)
        if there == here or not there.startswith("file:") or Path(_path(there)).name != artifacts.name:
            return []
        with opened:  # one transaction
            opened.execute("BEGIN IMMEDIATE")
            changes = [_relocate(opened, table, column, there, here) for table, column in _COLUMNS]
            opened.execute("UPDATE experiments SET artifact_location = ? WHERE name = ?", (here, experiment))
    moved, kept = (sum(counts) for counts in zip(*changes, strict=True))
    return list(_lines(Path(_path(there)), artifacts, moved, kept))


def _location(opened: sqlite3.Connection, experiment: str) -> str:
    """The address of an experiment's artifacts; empty if there is none, or a database without MLflow's tables."""
    try:
        query = "SELECT artifact_location FROM experiments WHERE name = ?"
        (location,) = opened.execute(query, (experiment,)).fetchone() or ("",)
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        return ""
    return str(location or "")


def _relocate(opened: sqlite3.Connection, table: str, column: str, there: str, here: str) -> tuple[int, int]:
    """Change the addresses of a column; returns how many were changed, and how many have their files only there."""
    query = f"SELECT rowid, {column} FROM {table} WHERE substr({column}, 1, ?) = ?"  # noqa: S608
    rows = opened.execute(query, (len(there) + 1, f"{there}/")).fetchall()
    moved = {rowid: here + address[len(there) :] for rowid, address in rows if not _is_only_there(address, there, here)}
    update = f"UPDATE {table} SET {column} = ? WHERE rowid = ?"  # noqa: S608
    opened.executemany(update, [(address, rowid) for rowid, address in moved.items()])
    return len(moved), len(rows) - len(moved)


def _is_only_there(address: str, there: str, here: str) -> bool:
    return Path(_path(address)).exists() and not Path(_path(here + address[len(there) :])).exists()


def _path(address: str) -> str:
    return unquote(urlsplit(address).path)


def _lines(there: Path, here: Path, moved: int, kept: int) -> Iterator[str]:
    yield (
        f"This folder was moved or copied from {there.parent}: artifacts of new runs are written to {here}, and "
        f"{moved} addresses of earlier ones in mlflow.db now point there too."
    )
    if kept:
        yield f"{kept} addresses still point to {there}: their files were not copied along."
