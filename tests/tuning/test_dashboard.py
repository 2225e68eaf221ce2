"""optuna-dashboard, as docs/tuning.md has it, on a journal and in a real PostgreSQL that hold a study of ours."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import optuna
import pytest
from support.postgresql import postgresql, postgresql_server
from support.servers import served
from support.studies import ALL, study

from modelyard.tuning.storage import Place

__all__ = ["postgresql", "postgresql_server"]  # fixtures


@pytest.fixture(params=["a journal", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where a study with trials of every kind is kept."""
    in_memory = study(*ALL)
    address = tmp_path / "digits_cnn.journal" if request.param == "a journal" else request.getfixturevalue("postgresql")
    kept = Place(str(address))
    filled = optuna.create_study(study_name="digits_cnn", storage=kept.open(), direction="maximize")
    for key, value in in_memory.user_attrs.items():
        filled.set_user_attr(key, value)
    filled.add_trials(in_memory.trials)
    return kept


def test_the_dashboard_shows_a_study_with_its_trials_and_leaves_it_as_it_is(place: Place, tmp_path: Path) -> None:
    before = content(place)
    with served(["optuna-dashboard", place.address], tmp_path, os.environ, health="/") as address:
        ask = asker(address)
        (summary,) = ask("/api/studies")["study_summaries"]
        shown = ask(f"/api/studies/{summary['study_id']}?after=0")
        page = urlopen(f"{address}/dashboard/", timeout=60).read().decode()  # noqa: S310
    assert summary["study_name"] == "digits_cnn"
    assert [(trial["number"], trial["state"]) for trial in shown["trials"]] == [
        (0, "Complete"), (1, "Complete"), (2, "Pruned"), (3, "Fail"), (4, "Fail"), (5, "Complete")
    ]  # fmt: skip
    assert shown["trials"][1]["values"] == [0.94]
    assert "<script" in page
    assert content(place) == before


def asker(address: str) -> Callable[[str], dict]:
    """What the dashboard's pages ask its server for."""
    return lambda path: json.load(urlopen(f"{address}{path}", timeout=60))  # noqa: S310


def content(place: Place) -> object:
    """The very bytes of a journal; of a database its trials."""
    if place.is_journal:
        return Path(place.address).read_bytes()
    return optuna.load_study(study_name="digits_cnn", storage=place.open()).trials
