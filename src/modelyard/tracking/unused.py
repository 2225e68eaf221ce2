"""What MLflow keeps beside the project's own database and nothing refers to: artifacts, and copies of the database."""

import re
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from modelyard.tracking.database import backups
from modelyard.tracking.store import database_file, project_root

_OF_RUN, _OF_MODEL = re.compile("[0-9a-f]{32}"), re.compile("m-[0-9a-f]{32}")
# What refers to a run or a logged model, by its id.
_KEPT = """
SELECT run_uuid FROM runs WHERE lifecycle_stage = 'active'
UNION ALL SELECT artifact_uri FROM runs WHERE lifecycle_stage = 'active'
UNION ALL SELECT model_id || ' ' || artifact_location FROM logged_models WHERE lifecycle_stage = 'active'
UNION ALL SELECT coalesce(run_id, '') || ' ' || coalesce(source, '') || ' ' || coalesce(storage_location, '')
FROM model_versions WHERE current_stage != 'Deleted_Internal'
"""


def unused_artifacts() -> list[Path]:
    """The folders of artifacts of no run and no model of the project's own database, or of deleted ones.

    None if it cannot be read, or another store is used: that one may have them.
    """
    database, artifacts = project_root() / "mlflow.db", project_root() / "mlartifacts"
    if database_file() != database or not database.is_file():
        return []
    # Listed before the database is read: a run that begins now has its entry before its folder.
    folders = [path for path in artifacts.glob("*") if _OF_RUN.fullmatch(path.name)]
    folders += [path for path in artifacts.glob("models/*") if _OF_MODEL.fullmatch(path.name)]
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as opened:
        kept = "\n".join(str(text) for (text,) in opened.execute(_KEPT))
        return sorted(folder for folder in folders if folder.name not in kept)
    return []


def old_backups() -> list[Path]:
    """The copies of the project's own database that were made before a migration, except the newest."""
    return backups(project_root() / "mlflow.db")[:-1]
