"""Studies in a real PostgreSQL: workers share it, joiners too, and heartbeats tell of machines that are gone."""

import time

import optuna
import pytest
from optuna.trial import TrialState
from support import searches
from support.postgresql import postgresql, postgresql_server  # noqa: F401 (fixtures)
from support.searches import plan

from modelyard.tuning.opening import take_up
from modelyard.tuning.search import Budget, Search
from modelyard.tuning.storage import Place


@pytest.fixture
def place(tmp_path, postgresql) -> Place:  # noqa: F811
    searches.save_rows(tmp_path)
    return Place(postgresql, heartbeat=1)


def test_workers_and_joiners_share_a_study_in_postgresql(tmp_path, place):
    made, told = plan(tmp_path), []
    first = take_up(made, place)
    Search(first, place, made, lambda workers, ended: told.extend(ended)).run(2, Budget(4))
    joined = take_up(made, place, join=True)
    Search(joined, place, made, lambda workers, ended: told.extend(ended)).run(1, Budget(6), joined=True)
    study = optuna.load_study(study_name="made_up", storage=place.open())
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 6
    assert sorted(each.number for each in told) == list(range(6))
    assert study.trials[0].params == {"model.trees": 20, "model.depth": 3}


def test_a_trial_of_a_machine_whose_heart_has_stopped_is_tried_again_by_another(tmp_path, place):
    made = plan(tmp_path)
    study = take_up(made, place)
    lost = study.ask()
    lost.set_user_attr("worker", "another-machine:1:0")
    place.open().record_heartbeat(lost._trial_id)
    time.sleep(2.5 * place.heartbeat)
    Search(study, place, made, lambda workers, ended: None).run(1, Budget(3))
    found = take_up(made, place).trials
    assert found[0].state is TrialState.FAIL
    assert [trial.state for trial in found if trial.user_attrs.get("again") == 0] == [TrialState.COMPLETE]


def test_a_running_trial_of_another_machine_is_left_alone_on_resume(tmp_path, place):
    made = plan(tmp_path)
    take_up(made, place).ask().set_user_attr("worker", "another-machine:1:0")
    assert take_up(made, place).trials[0].state is TrialState.RUNNING
