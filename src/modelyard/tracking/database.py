"""MLflow's database: its creation, and a copy before another version of MLflow migrates it, which cannot be undone."""

import shlex
import sqlite3
import time
from contextlib import closing, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from modelyard.core.errors import ModelyardError
from modelyard.core.files import atomic_file, read_text, write_text

VARIABLE = "MLFLOW_TRACKING_URI"
SQLITE = "sqlite:///"
MEMORY = ":memory:"  # SQLite's name of a database without a file
FILE = Path(".modelyard/mlflow_schema")  # the version of MLflow and its schema: finding that out takes long


def create_sqlite(database: Path) -> None:
    """Create an SQLite database with MLflow's tables.

    MLflow itself creates the file first and then its tables, in many steps; killed between them, it leaves a database
    that it can neither use nor complete. In memory they take a fraction of the time, too.
    """
    from mlflow.store.db.utils import _initialize_tables, create_sqlalchemy_engine

    engine = create_sqlalchemy_engine(SQLITE + MEMORY)
    try:
        _initialize_tables(engine)
        with atomic_file(database) as temporary, closing(sqlite3.connect(temporary)) as new:
            engine.raw_connection().driver_connection.backup(new)
    finally:
        engine.dispose()


def sqlite_uri(file: Path) -> str:
    """The URI of a database, in which % and ? would have a meaning."""
    return SQLITE + str(file).replace("%", "%25").replace("?", "%3F")


def back_up_sqlite(database: Path, root: Path) -> str:
    """Copy an SQLite database of another schema than the installed MLflow has; returns a message, "" if it did not.

    A database that was copied since it last changed is not copied again.
    """
    present = _schema_of_sqlite(database)
    if not present or present == latest_schema(root):
        return ""
    known = sorted(database.parent.glob(f"{database.name}.{present}.*.backup"))
    if known and known[-1].stat().st_mtime >= database.stat().st_mtime:
        return ""
    backup = database.with_name(f"{database.name}.{present}.{time.strftime('%Y%m%dT%H%M%S')}.backup")
    with atomic_file(backup) as temporary, closing(_open(database)) as old, closing(sqlite3.connect(temporary)) as new:
        old.backup(new)
    return (
        f"{database.name} has the schema {present}, and MLflow {version('mlflow')} migrates it to "
        f"{latest_schema(root)}. It was copied to {backup.name}. If MLflow asks for it: mlflow db upgrade "
        f"{shlex.quote(sqlite_uri(database))}"
    )


def is_current(database: Path, root: Path) -> bool:
    """Whether an SQLite database has the schema of the installed MLflow."""
    return _schema_of_sqlite(database) == latest_schema(root)


def backups(database: Path) -> list[Path]:
    """The copies of an SQLite database that were made before its migrations, the newest last."""
    return sorted(database.parent.glob(f"{database.name}.*.backup"), key=lambda copy: copy.name.split(".")[-2])


def advice(database: Path, root: Path) -> str:
    """What to do with an SQLite database that MLflow cannot use if it is half made or half migrated, else ""."""
    if not database.is_file() or is_current(database, root):
        return ""
    try:
        with closing(_open(database)) as connection:
            has_runs = connection.execute("SELECT 1 FROM runs").fetchone()
    except sqlite3.Error as error:
        if "no such table" not in str(error):  # damaged, or in use
            return ""
        has_runs = None
    if not has_runs:
        return f". {database.name} is half made and has no runs: delete it, and the next run makes it again"
    restore = f", or restore its copy: mv {copies[-1].name} {database.name}" if (copies := backups(database)) else ""
    again = f"mlflow db upgrade {shlex.quote(sqlite_uri(database))}"
    return f". {database.name} is half migrated. Try again: {again}{restore}"


def refuse_migration(connection: Any, shown: str, root: Path) -> None:
    """Refuse a database of another schema that is no file: others may use it, and it is theirs to back up.

    Args:
        connection: SQLAlchemy's connection to it.
        shown: its address without the password.
        root: the project's root.

    Raises:
        ModelyardError: how to back it up and to migrate it.
    """
    from sqlalchemy import inspect

    if not inspect(connection).has_table("alembic_version"):
        return
    present = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    if not present or present == latest_schema(root):
        return
    backup = "pg_dump --format=custom --file=mlflow.dump DATABASE" if shown.startswith("postgresql") else "a dump of it"
    raise ModelyardError(
        f"the database {shown} has the schema {present}, and MLflow {version('mlflow')} would migrate it to "
        f'{latest_schema(root)}. Back it up ({backup}), then migrate it: mlflow db upgrade "${VARIABLE}". Or install '
        "the version of MLflow that made it."
    )


def latest_schema(root: Path) -> str:
    """The schema of the installed MLflow."""
    installed = version("mlflow")
    with suppress(OSError, ModelyardError, ValueError):
        known, schema = read_text(root / FILE).split()
        if known == installed:
            return schema
    from mlflow.store.db.utils import _get_latest_schema_revision

    schema = str(_get_latest_schema_revision())
    write_text(root / FILE, f"{installed} {schema}\n")
    return schema


def _schema_of_sqlite(database: Path) -> str:
    """The schema of a database; "" if it is none of MLflow's, or cannot be read, which MLflow says better."""
    with suppress(sqlite3.Error):
        if database.is_file():
            with closing(_open(database)) as connection:
                found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
                return str(found[0]) if found else ""
    return ""


def _open(database: Path) -> sqlite3.Connection:
    """Open a database to read it."""
    return sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)
