"""The search for real: processes on one journal that end, are killed, grow, fail, and are taken up again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from support import searches
from support.searches import plan

from modelyard.core.errors import ModelyardError
from modelyard.params.study import Choices, Range
from modelyard.tuning import retries
from modelyard.tuning.opening import take_up
from modelyard.tuning.plan import Plan
from modelyard.tuning.search import Budget, Search, Worker
from modelyard.tuning.storage import Place
from modelyard.tuning.worker import Ended

BOUND = 300.0  # seconds; generous, for a loaded machine
SLOW = {"model.trees": Range(low=10, high=500)}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A journal beside rows that a search can read."""
    searches.save_rows(tmp_path)
    return Place(str(tmp_path / "made_up.journal"))


class Watch:
    """Hears of a search; `act` may disturb it."""

    def __init__(self, act: Callable[[list[Worker]], None] = lambda workers: None) -> None:
        self.ended: list[Ended] = []
        self.processes: set[int] = set()
        self._act = act
        self._until = time.monotonic() + BOUND

    def __call__(self, workers: list[Worker], ended: list[Ended]) -> None:
        assert time.monotonic() < self._until, "the search does not end"
        self.ended += ended
        self.processes |= {each.process.pid for each in workers}
        self._act(workers)


def search(made: Plan, place: Place, workers: int = 1, trials: int = 3, watch: Watch | None = None, **more: object):
    """Search and return the study, read anew."""
    study = take_up(made, place)
    watch = watch or Watch()
    Search(study, place, made, watch).run(workers, Budget(trials), **more)
    return optuna.load_study(study_name=study.study_name, storage=place.open())


def states(study: optuna.Study) -> list[TrialState]:
    return [trial.state for trial in study.get_trials()]


def busy(workers: list[Worker]) -> Worker | None:
    return next((each for each in workers if each.state == "busy" and each.number is not None), None)


def kill_once(number: int) -> Callable[[list[Worker]], None]:
    """Kill the worker of a trial with a signal that nothing can catch, once."""
    killed: list[int] = []

    def act(workers: list[Worker]) -> None:
        for each in workers:
            if each.number == number and each.state == "busy" and not killed:
                killed.append(each.process.pid)
                os.kill(each.process.pid, signal.SIGKILL)

    return act


def test_trial_0_is_the_experiment_and_a_score_is_its_validation_metric(tmp_path, place):
    study = search(plan(tmp_path), place)
    assert study.trials[0].params == {"model.trees": 20, "model.depth": 3}
    assert states(study) == [TrialState.COMPLETE] * 3
    for trial in study.trials:
        assert trial.value == trial.intermediate_values[max(trial.intermediate_values)]
        assert trial.user_attrs["epochs"] == trial.user_attrs["epochs_planned"] == 1  # an estimator is fitted at once
        assert trial.user_attrs["seconds"] > 0
        assert trial.user_attrs["worker"].count(":") == 2
    assert study.user_attrs["metric"] == "val_mae"
    assert study.user_attrs["experiment"] == "made_up_boosting"
    assert study.user_attrs["space"]["vary"]["model.depth"] == {"choices": [1, 2, 3]}


def test_two_workers_share_one_journal_and_run_as_many_trials_as_asked(tmp_path, place):
    watch = Watch()
    study = search(plan(tmp_path), place, workers=2, trials=7, watch=watch)
    assert states(study) == [TrialState.COMPLETE] * 7
    assert sorted(each.number for each in watch.ended) == list(range(7))
    assert len(watch.processes) == 2
    assert len({trial.user_attrs["worker"] for trial in study.trials}) == 2
    suggested = [tuple(trial.params.values()) for trial in study.trials]
    assert len(set(suggested)) >= 5, "the workers suggest alike"


def test_one_worker_suggests_the_same_twice_and_going_on_is_as_not_having_stopped(tmp_path, place):
    other = Place(str(tmp_path / "other.journal"))
    whole = search(plan(tmp_path), place, trials=4)
    search(plan(tmp_path), other, trials=2)
    in_two = search(plan(tmp_path), other, trials=4)
    assert [trial.params for trial in whole.trials] == [trial.params for trial in in_two.trials]
    assert [trial.value for trial in whole.trials] == [trial.value for trial in in_two.trials]


def test_a_killed_worker_costs_one_trial_whose_parameters_are_tried_again(tmp_path, place):
    searches.save_rows(tmp_path, 1500)
    watch = Watch(kill_once(1))
    study = search(plan(tmp_path, vary=SLOW), place, workers=2, trials=4, watch=watch)
    assert study.trials[1].state is TrialState.FAIL
    assert study.trials[1].user_attrs["reason"] == "its worker was killed by signal 9"
    again = [trial for trial in study.trials if trial.user_attrs.get("again") == 1]
    assert [trial.state for trial in again] == [TrialState.COMPLETE]
    assert study.trials[1].params.items() <= again[0].params.items()  # it may die before it has any
    assert states(study).count(TrialState.COMPLETE) == 4


def test_a_trial_that_kills_each_worker_is_given_up(tmp_path, place):
    searches.save_rows(tmp_path, 1500)

    def kill(workers: list[Worker]) -> None:
        if each := busy(workers):
            os.kill(each.process.pid, signal.SIGKILL)

    study = search(plan(tmp_path, vary=SLOW), place, trials=1, watch=Watch(kill))
    assert states(study) == [TrialState.FAIL] * retries.MOST_LOSSES
    assert [trial.user_attrs.get("again") for trial in study.trials] == [None, 0, 1]


def test_ctrl_c_keeps_what_is_finished_and_the_rest_is_taken_up_again(tmp_path, place):
    searches.save_rows(tmp_path, 1500)

    def interrupt(workers: list[Worker]) -> None:
        each = busy(workers)
        if each and each.number == 1:
            raise KeyboardInterrupt

    made = plan(tmp_path, vary=SLOW)
    watch = Watch(interrupt)
    with pytest.raises(KeyboardInterrupt):
        search(made, place, trials=3, watch=watch)
    assert not any(_alive(pid) for pid in watch.processes)
    stopped = take_up(made, place)
    assert states(stopped) == [TrialState.COMPLETE, TrialState.FAIL, TrialState.WAITING]
    assert stopped.trials[1].user_attrs["reason"] == "stopped by a person or a program"
    study = search(made, place, trials=3)
    assert study.trials[1].params.items() <= study.trials[2].params.items()  # it may end before it has any
    assert states(study).count(TrialState.COMPLETE) == 3


DYING = """
import os, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from support.searches import plan
from modelyard.params.study import Range
from modelyard.tuning.opening import take_up
from modelyard.tuning.search import Budget, Search
from modelyard.tuning.storage import Place
def die(workers, ended):
    if any(each.number == 1 for each in workers):
        os.kill(os.getpid(), 9)
if __name__ == "__main__":
    made, place = plan(Path({folder!r}), vary={{"model.trees": Range(low=10, high=500)}}), Place({journal!r})
    Search(take_up(made, place), place, made, die).run(1, Budget(3))
"""


def test_a_search_that_is_killed_itself_leaves_no_worker_and_is_taken_up(tmp_path, place):
    searches.save_rows(tmp_path, 1500)
    script = tmp_path / "dying.py"
    names = {"tests": str(Path(__file__).parents[1]), "folder": str(tmp_path), "journal": place.address}
    script.write_text(DYING.format(**names))
    assert subprocess.run([sys.executable, script], timeout=BOUND).returncode == -signal.SIGKILL
    worker = _worker_of(place, 1)
    until = time.monotonic() + BOUND
    while _alive(worker) and time.monotonic() < until:
        time.sleep(0.1)
    assert not _alive(worker)
    study = search(plan(tmp_path, vary=SLOW), place, trials=3)
    assert states(study).count(TrialState.COMPLETE) == 3


def _worker_of(place: Place, number: int) -> int:
    study = optuna.load_study(study_name="made_up", storage=place.open())
    return int(study.trials[number].user_attrs["worker"].split(":")[-2])


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_worker_is_replaced_when_it_holds_more_memory_than_allowed(tmp_path, place):
    watch = Watch()
    study = search(plan(tmp_path), place, trials=3, watch=watch, most_memory=1)
    assert states(study) == [TrialState.COMPLETE] * 3
    assert len({trial.user_attrs["worker"] for trial in study.trials}) == 3
    assert len(watch.processes) == 3


def test_a_raising_trial_is_recorded_with_its_reason_and_the_search_goes_on(tmp_path, place):
    made = plan(tmp_path, vary={"input": Choices(choices=("made_up", "missing"))})
    study = search(made, place, trials=6)
    failed = [trial for trial in study.trials if trial.state is TrialState.FAIL]
    assert failed
    assert {trial.params["input"] for trial in failed} == {"missing"}
    assert all(trial.user_attrs["reason"].startswith("FileNotFoundError: ") for trial in failed)
    assert study.best_trial.params["input"] == "made_up"


def test_the_same_failure_five_times_in_a_row_stops_the_search(tmp_path, place):
    (tmp_path / "data" / "inputs" / "made_up" / "training" / "x.npy").unlink()
    with pytest.raises(ModelyardError, match="stopped: 5 trials in a row failed alike, with FileNotFoundError"):
        search(plan(tmp_path), place, trials=30)
    assert len(take_up(plan(tmp_path), place).trials) == 5


def test_values_that_have_a_score_are_not_trained_again(tmp_path, place):
    study = search(plan(tmp_path, vary={"model.depth": Choices(choices=(2, 3))}), place, trials=5)
    trained = [trial for trial in study.trials if "repeats" not in trial.user_attrs]
    repeats = [trial for trial in study.trials if "repeats" in trial.user_attrs]
    assert sorted(trial.params["model.depth"] for trial in trained) == [2, 3]
    for trial in repeats:
        first = study.trials[trial.user_attrs["repeats"]]
        assert first in trained
        assert (trial.params, trial.value, trial.state) == (first.params, first.value, TrialState.COMPLETE)


def test_no_trial_begins_after_the_seconds_are_over(tmp_path, place):
    made = plan(tmp_path)
    study = take_up(made, place)
    began = time.monotonic()
    Search(study, place, made, Watch()).run(1, Budget(100_000, seconds=8.0))
    assert time.monotonic() - began >= 8.0
    assert not any(state is TrialState.RUNNING for state in states(study))


class Turns(Watch):
    """Notes the seed of each turn that a search hands out."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.seeds: list[tuple[int, ...]] = []
        give = Worker.give
        monkeypatch.setattr(Worker, "give", lambda own, turn: (self.seeds.append(turn.seed), give(own, turn)))


def test_searches_in_two_containers_suggest_other_values_though_both_are_process_1(tmp_path, place, monkeypatch):
    made, turns = plan(tmp_path), Turns(monkeypatch)
    take_up(made, place)
    for host in ("pod-a", "pod-b"):
        monkeypatch.setattr("modelyard.tuning.search.this_process", lambda host=host: f"{host}:1:0")
        Search(take_up(made, place), place, made, turns).run(1, Budget(len(turns.seeds) + 1), joined=True)
    (*_, first), (*_, second) = turns.seeds
    assert first != second


def test_the_storage_is_left_in_peace_while_every_worker_is_busy(tmp_path, place, monkeypatch):
    made, used_up, asked = plan(tmp_path, vary=SLOW), retries.used_up, []
    searching = Search(take_up(made, place), place, made, Watch())
    monkeypatch.setattr(
        retries, "used_up", lambda study: asked.append([each.state for each in searching._workers]) or used_up(study)
    )
    searching.run(1, Budget(3))
    assert ["idle"] in asked
    assert ["busy"] not in asked
