"""Which study a search takes up: its own, another beside it, or none."""

from pathlib import Path

import optuna
import pytest
from support.searches import plan

from modelyard.core.errors import ModelyardError
from modelyard.params.study import Choices, Range
from modelyard.tuning import storage
from modelyard.tuning.opening import latest, take_up
from modelyard.tuning.storage import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A journal."""
    return Place(str(tmp_path / "made_up.journal"))


def test_another_space_is_refused_with_the_difference_and_a_new_study_stands_beside(tmp_path, place):
    take_up(plan(tmp_path), place)
    wider = plan(tmp_path, vary={"model.trees": Range(low=10, high=99), "model.depth": Choices(choices=(2, 3))})
    with pytest.raises(ModelyardError) as raised:
        take_up(wider, place)
    assert "vary.model.trees.high: 60 -> 99" in str(raised.value)
    assert "vary.model.depth.choices: [1, 2, 3] -> [2, 3]" in str(raised.value)
    assert "modelyard tune made_up --new" in str(raised.value)
    assert take_up(wider, place, new=True).study_name == "made_up-2"
    assert take_up(wider, place).study_name == "made_up-2"
    assert take_up(plan(tmp_path), place, new=True).study_name == "made_up-3"


def test_another_budget_seed_or_pruner_is_the_same_study(tmp_path, place):
    take_up(plan(tmp_path), place)
    assert take_up(plan(tmp_path, trials=9, seed=1, pruner="median"), place).study_name == "made_up"


def test_of_two_who_begin_a_study_at_once_the_second_is_told_to_join(tmp_path, place, monkeypatch):
    take_up(plan(tmp_path), place)
    monkeypatch.setattr(storage, "latest", lambda name, opened: None)  # as it was a moment before
    with pytest.raises(ModelyardError, match="begun by another at this very moment: modelyard tune made_up --join"):
        take_up(plan(tmp_path), place)


def test_a_study_of_another_program_is_neither_shown_nor_searched(tmp_path, place):
    optuna.create_study(study_name="made_up", storage=place.open())
    with pytest.raises(ModelyardError, match="study made_up was begun by another program"):
        latest("made_up", place)
    with pytest.raises(ModelyardError, match="was begun with another search space"):
        take_up(plan(tmp_path), place)


def test_there_must_be_a_study_to_join(tmp_path, place):
    with pytest.raises(ModelyardError, match="no study made_up to join: begin it without --join"):
        take_up(plan(tmp_path), place, join=True)
