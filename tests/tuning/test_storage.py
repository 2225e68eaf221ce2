"""Study storages that are torn, damaged, locked or out of reach; and which study a search opens."""

import json
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as some
from support import searches
from support.searches import plan

from modelyard.core.errors import ModelyardError
from modelyard.params.study import Choices, Range
from modelyard.tuning import storage
from modelyard.tuning.storage import (
    StudyStorage,
    find_storage,
    latest_name,
    load_latest_study,
    next_name,
    open_study,
    space_changes,
)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A journal with a study of three trials."""
    path = tmp_path / "made_up.journal"
    study = open_study(searches.plan(tmp_path), StudyStorage(str(path)))
    for number in range(3):
        study.tell(study.ask(), number)
    return path


def values(path: Path) -> list[float]:
    study = optuna.load_study(study_name="made_up", storage=StudyStorage(str(path)).open())
    return [trial.value for trial in study.trials]


def test_a_torn_record_is_moved_aside_and_the_study_continues(journal):
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code":6,"worker_id":"half')
    assert values(journal) == [0, 1, 2]
    assert journal.read_bytes() == whole
    assert journal.with_name("made_up.journal.torn").read_bytes() == b'{"op_code":6,"worker_id":"half\n'
    study = optuna.load_study(study_name="made_up", storage=StudyStorage(str(journal)).open())
    study.tell(study.ask(), 3)
    assert values(journal) == [0, 1, 2, 3]


@given(cut=some.integers(min_value=1))
def test_a_journal_cut_anywhere_opens_with_its_whole_records(cut, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cut")
    path = folder / "made_up.journal"
    study = open_study(searches.plan(folder), StudyStorage(str(path)))
    study.tell(study.ask(), 1.0)
    content = path.read_bytes()
    path.write_bytes(content[: cut % len(content)])
    StudyStorage(str(path)).open()
    kept = path.read_bytes()
    assert content.startswith(kept)
    assert not kept or kept.endswith(b"\n")


@pytest.mark.parametrize("damage", [b"not json\n", b'{"op_code": 99}\n', b'{"no": "record"}\n', b"[1, 2]\n"])
def test_a_journal_damaged_inside_is_refused_and_not_changed(damage, journal):
    lines = journal.read_bytes().splitlines(keepends=True)
    damaged = b"".join([*lines[:3], damage, *lines[3:]])
    journal.write_bytes(damaged)
    with pytest.raises(ModelyardError, match="is not a study journal, or is damaged inside"):
        StudyStorage(str(journal)).open()
    assert journal.read_bytes() == damaged


def test_a_locked_journal_is_reported_and_nothing_is_lost(journal, monkeypatch):
    monkeypatch.setattr(storage, "LOCK_SECONDS", 0.2)
    with FileLock(f"{journal}.lock"), pytest.raises(ModelyardError, match=r"has been locked .* Nothing is lost"):
        StudyStorage(str(journal)).open()
    assert values(journal) == [0, 1, 2]


def test_an_unreachable_database_is_reported_without_its_password():
    with pytest.raises(ModelyardError) as raised:
        StudyStorage("postgresql+psycopg://ann:hush@127.0.0.1:9/studies").open()
    message = str(raised.value)
    assert "postgresql+psycopg://...@127.0.0.1:9/studies does not answer" in message
    assert "Check that the database runs" in message
    assert "hush" not in message


@pytest.mark.parametrize(
    "password", ["hush@hush", "hush/hush", "hush#hush", "hush%hush", "hush%40hush", "hush:9/hush@h"]
)
@pytest.mark.parametrize("scheme", ["postgresql+psycopg", "postgresql+nosuch", "nosuch"])
def test_no_part_of_a_password_with_special_characters_is_shown(password, scheme, capfd):
    with pytest.raises(ModelyardError) as raised:
        StudyStorage(f"{scheme}://ann:{password}@127.0.0.1:9/studies").open()
    assert f"{scheme}://...@127.0.0.1:9/studies" in str(raised.value)
    assert "hush" not in f"{raised.value} {capfd.readouterr()}"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("sqlite:///studies.db", "SQLite loses trials"),
        ("nosuch://host/studies", "is not the address of a database that can be used here"),
        ("postgresql+nosuch://host/studies", "is not the address of a database that can be used here"),
    ],
)
def test_an_unusable_address_is_refused_with_an_example(address, message):
    with pytest.raises(ModelyardError, match=message) as raised:
        StudyStorage(address).open()
    assert "postgresql+psycopg://" in str(raised.value)


def test_the_database_of_mlflow_is_refused(monkeypatch):
    address = "postgresql+psycopg://ann@127.0.0.1:9/runs"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    with pytest.raises(ModelyardError, match="holds MLflow's runs"):
        StudyStorage(address).open()


def test_the_storage_is_the_address_then_the_environment_variable_then_a_journal_in_the_project(monkeypatch, tmp_path):
    assert find_storage("digits_cnn", None, tmp_path).address == str(
        tmp_path / ".modelyard" / "studies" / "digits_cnn.journal"
    )
    monkeypatch.setenv(storage.STORAGE_VARIABLE, "postgresql+psycopg://db/studies")
    assert find_storage("digits_cnn", None, tmp_path).address == "postgresql+psycopg://db/studies"
    assert find_storage("digits_cnn", "other.journal", tmp_path).address == "other.journal"


def test_the_latest_study_has_the_highest_number(tmp_path):
    opened = StudyStorage(str(tmp_path / "studies.journal")).open()
    assert latest_name("digits_cnn", opened) is None
    for name in ("digits_cnn", "digits_cnn-2", "digits_cnn-10", "digits_cnn_more"):
        optuna.create_study(study_name=name, storage=opened)
    assert latest_name("digits_cnn", opened) == "digits_cnn-10"
    assert next_name("digits_cnn-10", "digits_cnn") == "digits_cnn-11"
    assert next_name("digits_cnn", "digits_cnn") == "digits_cnn-2"
    assert next_name(None, "digits_cnn") == "digits_cnn"


nested = some.recursive(
    some.integers() | some.text(max_size=3), lambda inner: some.dictionaries(some.text("ab", min_size=1), inner)
)


@given(nested, nested)
def test_different_spaces_differ_in_at_least_one_line(one, other):
    assert space_changes(one, one) == []
    assert bool(space_changes(one, other)) == (json.dumps(one, sort_keys=True) != json.dumps(other, sort_keys=True))


@pytest.fixture
def made_up(tmp_path: Path) -> StudyStorage:
    """A journal."""
    return StudyStorage(str(tmp_path / "made_up.journal"))


def test_another_search_space_is_refused_with_the_difference_and_new_starts_another_study(tmp_path, made_up):
    open_study(plan(tmp_path), made_up)
    wider = plan(
        tmp_path,
        search_space={"model.n_estimators": Range(low=10, high=99), "model.max_depth": Choices(choices=(2, 3))},
    )
    with pytest.raises(ModelyardError) as raised:
        open_study(wider, made_up)
    assert "search_space.model.n_estimators.high: 60 -> 99" in str(raised.value)
    assert "search_space.model.max_depth.choices: [1, 2, 3] -> [2, 3]" in str(raised.value)
    assert "modelyard tune made_up --new" in str(raised.value)
    assert open_study(wider, made_up, new=True).study_name == "made_up-2"
    assert open_study(wider, made_up).study_name == "made_up-2"
    assert open_study(plan(tmp_path), made_up, new=True).study_name == "made_up-3"


@pytest.mark.parametrize(
    "datasets, folds, seed, change",
    [
        (
            {"made_up": {"files": {"a.csv": {"sha256": "new"}}}},
            3,
            7,
            'datasets.made_up.files.a.csv.sha256: "old" -> "new"',
        ),
        ({"made_up": {"files": {"a.csv": {"sha256": "old"}}}}, 3, 8, "seed: 7 -> 8"),
    ],
)
def test_other_data_or_other_folds_are_another_space_unless_an_earlier_version_did_not_store_them(
    datasets, folds, seed, change, tmp_path, made_up
):
    searched = replace(plan(tmp_path, folds=3), datasets={"made_up": {"files": {"a.csv": {"sha256": "old"}}}})
    study = open_study(searched, made_up)
    now = replace(plan(tmp_path, folds=folds, seed=seed), datasets=datasets)
    with pytest.raises(ModelyardError) as raised:
        open_study(now, made_up)
    assert f"\n  {change}\n" in str(raised.value)
    earlier = {key: value for key, value in searched.space.items() if key not in ("code", "datasets", "seed")}
    study.set_user_attr("space", earlier)
    assert open_study(now, made_up).study_name == "made_up"


def test_other_code_is_refused_with_the_edited_files_and_new_starts_another_study(tmp_path, made_up):
    open_study(replace(plan(tmp_path), code={"a.py": "1f", "b.py": "2a"}), made_up)
    edited = replace(plan(tmp_path), code={"a.py": "1f", "b.py": "3c", "c.py": "4d"})
    with pytest.raises(ModelyardError) as raised:
        open_study(edited, made_up)
    assert '\n  code.b.py: "2a" -> "3c"\n  code.c.py: nothing -> "4d"\n' in str(raised.value)
    assert "modelyard tune made_up --new" in str(raised.value)
    assert load_latest_study("made_up", made_up).study_name == "made_up", "to read it, the code does not matter"
    assert open_study(edited, made_up, new=True).study_name == "made_up-2"


def test_a_study_that_did_not_keep_its_code_is_resumed_with_one_warning(tmp_path, made_up, capsys):
    now, edited = (replace(plan(tmp_path), code={"a.py": each}) for each in ("1f", "2a"))
    study = open_study(now, made_up)
    study.set_user_attr("space", {key: value for key, value in now.space.items() if key != "code"})
    assert capsys.readouterr().err == ""
    assert open_study(now, made_up).study_name == "made_up"
    (warning,) = capsys.readouterr().err.splitlines()
    assert warning.startswith("warning: study made_up is of an earlier version, which did not keep what code scored")
    open_study(now, made_up)
    assert capsys.readouterr().err == "", "from then on it has the code"
    with pytest.raises(ModelyardError, match=r"code\.a\.py"):
        open_study(edited, made_up)


def test_another_budget_seed_or_pruner_is_the_same_study(tmp_path, made_up):
    open_study(plan(tmp_path), made_up)
    assert open_study(plan(tmp_path, n_trials=9, seed=1, pruner="median"), made_up).study_name == "made_up"


def test_of_two_searches_that_create_a_study_at_once_the_second_is_asked_to_join(tmp_path, made_up, monkeypatch):
    open_study(plan(tmp_path), made_up)
    monkeypatch.setattr(storage, "latest_name", lambda name, opened: None)  # as it was a moment earlier
    with pytest.raises(ModelyardError, match=r"at the same moment\. Join it: modelyard tune made_up --join"):
        open_study(plan(tmp_path), made_up)


def test_a_study_of_another_program_is_refused(tmp_path, made_up):
    other = optuna.create_study(study_name="made_up", storage=made_up.open(), directions=["minimize"] * 2)
    with pytest.raises(ModelyardError, match="was created with another search space"):
        open_study(plan(tmp_path), made_up)
    other.ask()
    with pytest.raises(ModelyardError, match="study made_up was created by another program"):
        load_latest_study("made_up", made_up)


@pytest.mark.parametrize("records", range(1, 5))
def test_a_study_whose_search_was_killed_while_it_created_it_begins_with_its_baseline(records, tmp_path, made_up):
    def content(study: optuna.Study) -> tuple:
        return study.user_attrs, [trial.system_attrs for trial in study.trials]

    journal, whole = Path(made_up.address), content(open_study(plan(tmp_path), made_up))
    lines = journal.read_bytes().splitlines(keepends=True)
    assert len(lines) == 5, "the study, its three attributes, trial 0"
    journal.write_bytes(b"".join(lines[:records]))
    with pytest.raises(ModelyardError, match="holds no study made_up yet"):
        load_latest_study("made_up", made_up)
    assert content(open_study(plan(tmp_path), made_up)) == whole


def test_joining_needs_a_study(tmp_path, made_up):
    with pytest.raises(ModelyardError, match="no study made_up to join: start it without --join"):
        open_study(plan(tmp_path), made_up, join=True)
