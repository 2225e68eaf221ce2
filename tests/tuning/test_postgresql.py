"""Studies in a real PostgreSQL: shared by workers and joined searches, with heartbeats for machines that are gone."""

import time
from contextlib import closing

import optuna
import pytest
from optuna.trial import TrialState
from support import searches
from support.searches import plan

from modelyard.orchestration.local_engine import LocalEngine
from modelyard.tuning import search
from modelyard.tuning.search import Budget, Search
from modelyard.tuning.storage import StudyStorage, open_study

pytestmark = pytest.mark.slow


@pytest.fixture
def storage(tmp_path, postgresql) -> StudyStorage:
    searches.save_samples(tmp_path)
    return StudyStorage(postgresql, heartbeat=1)


def test_workers_and_joined_searches_share_a_study_in_postgresql(tmp_path, storage):
    search_plan, finished = plan(tmp_path), []
    first = open_study(search_plan, storage)
    with closing(LocalEngine(2)) as engine:
        Search(first, storage, search_plan, lambda running, now: finished.extend(now)).run(engine, Budget(4))
    joined = open_study(search_plan, storage, join=True)
    with closing(LocalEngine(1)) as engine:
        searching = Search(joined, storage, search_plan, lambda running, now: finished.extend(now))
        searching.run(engine, Budget(6), joined=True)
    study = optuna.load_study(study_name="made_up", storage=storage.open())
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 6
    assert sorted(each.number for each in finished) == list(range(6))
    assert study.trials[0].params == {"model.n_estimators": 20, "model.max_depth": 3}


def test_a_trial_without_heartbeat_is_retried_by_another_machine(tmp_path, storage):
    search_plan = plan(tmp_path)
    study = open_study(search_plan, storage)
    lost = study.ask()
    lost.set_user_attr("worker", "another-machine:1:0")
    storage.open().record_heartbeat(lost._trial_id)
    time.sleep(2.5 * storage.heartbeat)
    with closing(LocalEngine(1)) as engine:
        Search(study, storage, search_plan, lambda running, finished: None).run(engine, Budget(3))
    trials = open_study(search_plan, storage).trials
    assert trials[0].state is TrialState.FAIL
    assert [trial.state for trial in trials if trial.user_attrs.get("again") == 0] == [TrialState.COMPLETE]


def test_the_last_trial_of_a_machine_that_is_lost_is_waited_for_and_repeated(tmp_path, storage, monkeypatch):
    monkeypatch.setattr(search, "LOOKS", 1)  # less often than it looks for its own trials, as usual
    search_plan = plan(tmp_path)
    study = open_study(search_plan, storage)
    lost = study.ask()
    lost.set_user_attr("worker", "another-machine:1:0")
    storage.open().record_heartbeat(lost._trial_id)
    began = time.monotonic()
    with closing(LocalEngine(1)) as engine:
        Search(study, storage, search_plan, lambda running, finished: None).run(engine, Budget(1))
    assert time.monotonic() - began > 2 * storage.heartbeat
    lost, again = open_study(search_plan, storage).trials
    assert (lost.state, again.state, again.user_attrs["again"]) == (TrialState.FAIL, TrialState.COMPLETE, 0)


def test_trials_of_others_are_not_waited_for_after_the_seconds_are_over(tmp_path, storage):
    search_plan = plan(tmp_path)
    study = open_study(search_plan, storage)
    study.ask().set_user_attr("worker", "another-machine:1:0")
    with closing(LocalEngine(1)) as engine:
        Search(study, storage, search_plan, lambda running, finished: None).run(engine, Budget(1, timeout=0.5))
    assert open_study(search_plan, storage).trials[0].state is TrialState.RUNNING


def test_a_running_trial_of_another_machine_is_not_touched_on_resume(tmp_path, storage):
    search_plan = plan(tmp_path)
    open_study(search_plan, storage).ask().set_user_attr("worker", "another-machine:1:0")
    assert open_study(search_plan, storage).trials[0].state is TrialState.RUNNING
