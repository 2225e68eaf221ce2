"""MLflow's database: created whole, and before a migration copied if it is a file, refused if others may use it."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from unittest.mock import Mock

import pytest
from mlflow.store.db import utils as db_utils
from sqlalchemy import create_engine

from modelyard import tracking
from modelyard.core.errors import ModelyardError
from modelyard.tracking import database as database_of_mlflow


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


def tables(file: Path) -> list[tuple]:
    """All columns of all tables; not the statements, in which constraints come in any order."""
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(
            "SELECT m.name, c.* FROM sqlite_master m, pragma_table_info(m.name) c ORDER BY m.name, c.name"
        ).fetchall()


def test_a_new_database_has_the_tables_that_mlflow_makes(tmp_path: Path) -> None:
    database_of_mlflow.create_sqlite(tmp_path / "ours.db")
    engine = create_engine(f"sqlite:///{tmp_path}/theirs.db")
    db_utils._initialize_tables(engine)
    engine.dispose()
    assert tables(tmp_path / "ours.db") == tables(tmp_path / "theirs.db")
    assert schema_of(tmp_path / "ours.db") == database_of_mlflow.latest_schema(tmp_path)


def test_what_is_stopped_while_it_creates_a_database_leaves_none(tmp_path: Path, monkeypatch) -> None:
    stop = Mock(side_effect=KeyboardInterrupt)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(db_utils, "_upgrade_db", stop)  # the second half of the tables
        database_of_mlflow.create_sqlite(tmp_path / "mlflow.db")
    assert list(tmp_path.iterdir()) == []


def test_connecting_creates_a_database_that_a_stopped_process_has_not(tracked_project: Path, monkeypatch) -> None:
    (tracked_project / "mlflow.db").unlink()
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(db_utils, "_upgrade_db", Mock(side_effect=KeyboardInterrupt))
        tracking.connect()
    tracking.connect()
    assert schema_of(tracked_project / "mlflow.db") == database_of_mlflow.latest_schema(tracked_project)


def test_a_database_of_the_installed_schema_is_not_copied(database: Path, tmp_path: Path) -> None:
    assert database_of_mlflow.latest_schema(tmp_path) == schema_of(database)
    assert database_of_mlflow.back_up_sqlite(database, tmp_path) == ""
    assert backups(database) == []


def test_a_database_of_another_schema_is_copied_once(database: Path, tmp_path: Path) -> None:
    set_schema(database, "0123abcd")
    line = database_of_mlflow.back_up_sqlite(database, tmp_path)
    (backup,) = backups(database)
    assert "mlflow.db has the schema 0123abcd, and MLflow" in line
    assert backup.name in line
    assert schema_of(backup) == "0123abcd"
    assert database_of_mlflow.back_up_sqlite(database, tmp_path) == ""
    assert backups(database) == [backup]


def test_what_is_no_database_of_mlflow_is_left_to_mlflow(tmp_path: Path) -> None:
    assert database_of_mlflow.back_up_sqlite(tmp_path / "absent.db", tmp_path) == ""
    (tmp_path / "text.db").write_text("no database")
    assert database_of_mlflow.back_up_sqlite(tmp_path / "text.db", tmp_path) == ""
    sqlite3.connect(tmp_path / "other.db").close()
    assert database_of_mlflow.back_up_sqlite(tmp_path / "other.db", tmp_path) == ""
    assert not list(tmp_path.glob("*.backup"))


def test_connecting_copies_before_mlflow_touches_the_database(tracked_project: Path, capsys) -> None:
    set_schema(tracked_project / "mlflow.db", "0123abcd")
    with pytest.raises(ModelyardError), tracking.explain_errors():
        tracking.connect()
    assert [schema_of(file) for file in backups(tracked_project / "mlflow.db")] == ["0123abcd"]
    assert "It was copied to mlflow.db.0123abcd." in capsys.readouterr().err


def test_the_commands_for_a_database_quote_its_path(database: Path, tmp_path: Path) -> None:
    folder = tmp_path / "my runs"
    folder.mkdir()
    database = database.rename(folder / database.name)
    set_schema(database, "0123abcd")
    assert f"mlflow db upgrade 'sqlite:///{database}'" in database_of_mlflow.back_up_sqlite(database, folder)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("INSERT INTO runs (run_uuid) VALUES ('1')")
    assert f"mlflow db upgrade 'sqlite:///{database}'" in database_of_mlflow.advice(database, folder)


def break_store(file: Path, statement: str) -> str:
    """Change a database, and return what is said when it is used."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript(f"PRAGMA foreign_keys = OFF; {statement}")
    with pytest.raises(ModelyardError) as raised, tracking.explain_errors():
        tracking.connect()
    return str(raised.value)


@pytest.mark.parametrize("statement", ["DELETE FROM alembic_version", "DROP TABLE alembic_version; DROP TABLE runs"])
def test_a_half_made_database_without_runs_is_to_be_deleted(tracked_project: Path, statement: str) -> None:
    said = break_store(tracked_project / "mlflow.db", statement)
    assert "mlflow.db is half made and has no runs: delete it" in said


def test_of_a_half_migrated_database_with_runs_the_copy_is_named(tracked_project: Path) -> None:
    run = "INSERT INTO runs (run_uuid) VALUES ('1'); UPDATE alembic_version SET version_num = '0123abcd'"
    said = break_store(tracked_project / "mlflow.db", run)
    (backup,) = backups(tracked_project / "mlflow.db")
    assert f"or restore its copy: mv {backup.name} mlflow.db" in said
    assert "delete" not in said


def test_nothing_is_advised_for_a_damaged_database_and_a_whole_one(database: Path, tmp_path: Path) -> None:
    assert database_of_mlflow.advice(database, tmp_path) == ""
    database.write_bytes(b"no database" * 100)
    assert database_of_mlflow.advice(database, tmp_path) == ""


def test_a_database_that_others_may_use_is_refused_with_what_to_do(database: Path, tmp_path: Path) -> None:
    """By an SQLite file in the place of a server: the query is the same."""
    shown = "postgresql://user:***@db/mlflow"
    with create_engine(f"sqlite:///{database}").connect() as connection:
        database_of_mlflow.refuse_migration(connection, shown, tmp_path)
    set_schema(database, "0123abcd")
    with (
        create_engine(f"sqlite:///{database}").connect() as connection,
        pytest.raises(
            ModelyardError, match=r'pg_dump .*, then migrate it: mlflow db upgrade "\$MLFLOW_TRACKING_URI"\.'
        ),
    ):
        database_of_mlflow.refuse_migration(connection, shown, tmp_path)


def test_an_empty_database_of_others_is_created_by_mlflow(tmp_path: Path) -> None:
    with create_engine(f"sqlite:///{tmp_path}/new.db").connect() as connection:
        database_of_mlflow.refuse_migration(connection, "postgresql://db/mlflow", tmp_path)


def test_the_schema_of_mlflow_is_found_out_again_with_another_version(tmp_path: Path) -> None:
    schema = database_of_mlflow.latest_schema(tmp_path)
    (tmp_path / database_of_mlflow.FILE).write_text("0.0.1 outdated\n")
    assert database_of_mlflow.latest_schema(tmp_path) == schema
    assert "outdated" not in (tmp_path / database_of_mlflow.FILE).read_text()
