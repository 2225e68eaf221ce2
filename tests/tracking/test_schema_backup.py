"""MLflow's database before a migration: copied if it is a file, refused if others may use it."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from modelyard import tracking
from modelyard.core.errors import ModelyardError
from modelyard.tracking import schema_backup


def set_schema(file: Path, schema: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (schema,))


def schema_of(file: Path) -> str:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]


@pytest.fixture
def database(empty_store: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(empty_store, tmp_path / "mlflow.db"))


def backups(database: Path) -> list[Path]:
    return sorted(database.parent.glob("mlflow.db.*.backup"))


def test_a_database_of_the_installed_schema_is_not_copied(database: Path, tmp_path: Path) -> None:
    assert schema_backup.latest_schema(tmp_path) == schema_of(database)
    assert schema_backup.back_up_sqlite(database, tmp_path) == ""
    assert backups(database) == []


def test_a_database_of_another_schema_is_copied_once(database: Path, tmp_path: Path) -> None:
    set_schema(database, "0123abcd")
    line = schema_backup.back_up_sqlite(database, tmp_path)
    (backup,) = backups(database)
    assert "mlflow.db has the schema 0123abcd, and MLflow" in line
    assert backup.name in line
    assert schema_of(backup) == "0123abcd"
    assert schema_backup.back_up_sqlite(database, tmp_path) == ""
    assert backups(database) == [backup]


def test_what_is_no_database_of_mlflow_is_left_to_mlflow(tmp_path: Path) -> None:
    assert schema_backup.back_up_sqlite(tmp_path / "absent.db", tmp_path) == ""
    (tmp_path / "text.db").write_text("no database")
    assert schema_backup.back_up_sqlite(tmp_path / "text.db", tmp_path) == ""
    sqlite3.connect(tmp_path / "other.db").close()
    assert schema_backup.back_up_sqlite(tmp_path / "other.db", tmp_path) == ""
    assert not list(tmp_path.glob("*.backup"))


def test_connecting_copies_before_mlflow_touches_the_database(tracked_project: Path, capsys) -> None:
    set_schema(tracked_project / "mlflow.db", "0123abcd")
    with pytest.raises(ModelyardError), tracking.explain_errors():
        tracking.connect()
    assert [schema_of(file) for file in backups(tracked_project / "mlflow.db")] == ["0123abcd"]
    assert "It was copied to mlflow.db.0123abcd." in capsys.readouterr().err


def test_a_database_that_others_may_use_is_refused_with_what_to_do(database: Path, tmp_path: Path) -> None:
    """By an SQLite file in the place of a server: the query is the same."""
    shown = "postgresql://user:***@db/mlflow"
    with create_engine(f"sqlite:///{database}").connect() as connection:
        schema_backup.refuse_migration(connection, shown, tmp_path)
    set_schema(database, "0123abcd")
    with (
        create_engine(f"sqlite:///{database}").connect() as connection,
        pytest.raises(ModelyardError, match=r"pg_dump .*, then migrate it: mlflow db upgrade"),
    ):
        schema_backup.refuse_migration(connection, shown, tmp_path)


def test_an_empty_database_of_others_is_created_by_mlflow(tmp_path: Path) -> None:
    with create_engine(f"sqlite:///{tmp_path}/new.db").connect() as connection:
        schema_backup.refuse_migration(connection, "postgresql://db/mlflow", tmp_path)


def test_the_schema_of_mlflow_is_found_out_again_with_another_version(tmp_path: Path) -> None:
    schema = schema_backup.latest_schema(tmp_path)
    (tmp_path / schema_backup.FILE).write_text("0.0.1 outdated\n")
    assert schema_backup.latest_schema(tmp_path) == schema
    assert "outdated" not in (tmp_path / schema_backup.FILE).read_text()
