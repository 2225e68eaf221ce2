"""Where studies are kept: journals that are torn, damaged or locked, and databases that are not there."""

import json
from pathlib import Path

import optuna
import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as some
from support import searches

from modelyard.core.errors import ModelyardError
from modelyard.tuning import storage
from modelyard.tuning.opening import take_up
from modelyard.tuning.storage import Place, difference, following, latest, place_of


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A journal with a study of three trials."""
    path = tmp_path / "made_up.journal"
    study = take_up(searches.plan(tmp_path), Place(str(path)))
    for number in range(3):
        study.tell(study.ask(), number)
    return path


def values(path: Path) -> list[float]:
    study = optuna.load_study(study_name="made_up", storage=Place(str(path)).open())
    return [trial.value for trial in study.trials]


def test_a_record_that_was_never_written_whole_is_kept_beside_and_the_study_goes_on(journal):
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code":6,"worker_id":"half')
    assert values(journal) == [0, 1, 2]
    assert journal.read_bytes() == whole
    assert journal.with_name("made_up.journal.torn").read_bytes() == b'{"op_code":6,"worker_id":"half\n'
    study = optuna.load_study(study_name="made_up", storage=Place(str(journal)).open())
    study.tell(study.ask(), 3)
    assert values(journal) == [0, 1, 2, 3]


@given(cut=some.integers(min_value=1))
def test_a_journal_cut_anywhere_opens_with_what_was_whole(cut, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cut")
    path = folder / "made_up.journal"
    study = take_up(searches.plan(folder), Place(str(path)))
    study.tell(study.ask(), 1.0)
    content = path.read_bytes()
    path.write_bytes(content[: cut % len(content)])
    Place(str(path)).open()
    kept = path.read_bytes()
    assert content.startswith(kept)
    assert not kept or kept.endswith(b"\n")


@pytest.mark.parametrize("damage", [b"not json\n", b'{"op_code": 99}\n', b'{"no": "record"}\n', b"[1, 2]\n"])
def test_a_journal_that_is_damaged_inside_is_told_and_left_as_it_is(damage, journal):
    lines = journal.read_bytes().splitlines(keepends=True)
    damaged = b"".join([*lines[:3], damage, *lines[3:]])
    journal.write_bytes(damaged)
    with pytest.raises(ModelyardError, match="is no journal of studies, or is damaged inside"):
        Place(str(journal)).open()
    assert journal.read_bytes() == damaged


def test_a_locked_journal_is_told_and_nothing_is_lost(journal, monkeypatch):
    monkeypatch.setattr(storage, "LOCK_SECONDS", 0.2)
    with FileLock(f"{journal}.lock"), pytest.raises(ModelyardError, match=r"has been locked .* Nothing is lost"):
        Place(str(journal)).open()
    assert values(journal) == [0, 1, 2]


def test_a_database_out_of_reach_is_told_without_its_password():
    with pytest.raises(ModelyardError) as raised:
        Place("postgresql+psycopg://ann:hush@127.0.0.1:9/studies").open()
    said = str(raised.value)
    assert "postgresql+psycopg://...@127.0.0.1:9/studies, does not answer" in said
    assert "see that the database runs" in said
    assert "hush" not in said


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("sqlite:///studies.db", "SQLite loses trials"),
        ("nosuch://host/studies", "is no address of a database that can be used here"),
        ("postgresql+nosuch://host/studies", "is no address of a database that can be used here"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_with_what_can(address, told):
    with pytest.raises(ModelyardError, match=told) as raised:
        Place(address).open()
    assert "postgresql+psycopg://" in str(raised.value)


def test_the_database_of_the_runs_is_refused(monkeypatch):
    address = "postgresql+psycopg://ann@127.0.0.1:9/runs"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    with pytest.raises(ModelyardError, match="MLflow's runs are in that database"):
        Place(address).open()


def test_the_storage_is_as_given_then_as_the_environment_has_it_then_a_journal_in_the_project(monkeypatch, tmp_path):
    assert place_of("digits_cnn", None, tmp_path).address == str(
        tmp_path / ".modelyard" / "studies" / "digits_cnn.journal"
    )
    monkeypatch.setenv(storage.VARIABLE, "postgresql+psycopg://db/studies")
    assert place_of("digits_cnn", None, tmp_path).address == "postgresql+psycopg://db/studies"
    assert place_of("digits_cnn", "other.journal", tmp_path).address == "other.journal"


def test_the_latest_study_of_a_name_is_the_one_with_the_highest_number(tmp_path):
    opened = Place(str(tmp_path / "studies.journal")).open()
    assert latest("digits_cnn", opened) is None
    for name in ("digits_cnn", "digits_cnn-2", "digits_cnn-10", "digits_cnn_more"):
        optuna.create_study(study_name=name, storage=opened)
    assert latest("digits_cnn", opened) == "digits_cnn-10"
    assert following("digits_cnn-10", "digits_cnn") == "digits_cnn-11"
    assert following("digits_cnn", "digits_cnn") == "digits_cnn-2"
    assert following(None, "digits_cnn") == "digits_cnn"


nested = some.recursive(
    some.integers() | some.text(max_size=3), lambda inner: some.dictionaries(some.text("ab", min_size=1), inner)
)


@given(nested, nested)
def test_two_spaces_differ_in_some_line_unless_they_are_equal(one, other):
    assert difference(one, one) == []
    assert bool(difference(one, other)) == (json.dumps(one, sort_keys=True) != json.dumps(other, sort_keys=True))
