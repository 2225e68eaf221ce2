"""optuna-dashboard, as docs/tuning.md starts it, on a journal and on a real PostgreSQL."""

import json
import os
from pathlib import Path
from urllib.request import urlopen

import optuna
import pytest
from support.servers import served
from support.studies import ALL, study

from modelyard.tuning.storage import StudyStorage


@pytest.fixture(params=["a journal", "postgresql"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> StudyStorage:
    """A storage with a study with trials of every kind."""
    in_memory = study(*ALL)
    address = tmp_path / "digits_cnn.journal" if request.param == "a journal" else request.getfixturevalue("postgresql")
    created = StudyStorage(str(address))
    filled = optuna.create_study(study_name="digits_cnn", storage=created.open(), direction="maximize")
    for key, value in in_memory.user_attrs.items():
        filled.set_user_attr(key, value)
    filled.add_trials(in_memory.trials)
    return created


def test_the_dashboard_shows_a_study_and_does_not_change_it(storage: StudyStorage, tmp_path: Path) -> None:
    before = content(storage)
    with served(["optuna-dashboard", storage.address], tmp_path, os.environ, health="/") as address:
        (summary,) = read_json(f"{address}/api/studies")["study_summaries"]
        shown = read_json(f"{address}/api/studies/{summary['study_id']}?after=0")
        page = urlopen(f"{address}/dashboard/", timeout=60).read().decode()  # noqa: S310
    assert summary["study_name"] == "digits_cnn"
    assert [(trial["number"], trial["state"]) for trial in shown["trials"]] == [
        (0, "Complete"), (1, "Complete"), (2, "Pruned"), (3, "Fail"), (4, "Fail"), (5, "Complete")
    ]  # fmt: skip
    assert shown["trials"][1]["values"] == [0.94]
    assert "<script" in page
    assert content(storage) == before


def read_json(url: str) -> dict:
    return json.load(urlopen(url, timeout=60))  # noqa: S310


def content(storage: StudyStorage) -> object:
    """The bytes of a journal, or the trials of a database."""
    if storage.is_journal:
        return Path(storage.address).read_bytes()
    return optuna.load_study(study_name="digits_cnn", storage=storage.open()).trials
