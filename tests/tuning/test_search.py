"""Real searches: worker processes on one journal that end, are killed, grow, fail, and are resumed."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection
from contextlib import closing, suppress
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from support import searches
from support.paths import PARAMS
from support.searches import plan

from modelyard import params
from modelyard.core.errors import ModelyardError
from modelyard.orchestration import local_engine
from modelyard.orchestration.engine import Call, Task
from modelyard.orchestration.local_engine import LocalEngine
from modelyard.params.study import Choices, Range
from modelyard.tuning import retries
from modelyard.tuning import search as search_module
from modelyard.tuning.plan import Plan
from modelyard.tuning.search import Budget, Search, SubmittedTrial, rebuild_study
from modelyard.tuning.search_lock import only_search
from modelyard.tuning.storage import StudyStorage, open_study
from modelyard.tuning.worker import TrialFinished

pytestmark = pytest.mark.slow

BOUND = 300.0  # seconds; generous, for a loaded machine
SLOW = {"model.n_estimators": Range(low=10, high=500)}


@pytest.fixture
def storage(tmp_path: Path) -> StudyStorage:
    """A journal beside samples that a search can read."""
    searches.save_samples(tmp_path)
    return StudyStorage(str(tmp_path / "made_up.journal"))


class Watch:
    """Records the updates of a search; `act` may disturb it."""

    def __init__(self, act: Callable[[Collection[SubmittedTrial]], None] = lambda running: None) -> None:
        self.finished: list[TrialFinished] = []
        self.processes: set[int] = set()
        self._act = act
        self._until = time.monotonic() + BOUND

    def __call__(self, running: Collection[SubmittedTrial], finished: list[TrialFinished]) -> None:
        assert time.monotonic() < self._until, "the search does not end"
        self.finished += finished
        self.processes |= {process(each) for each in running if each.worker}
        self._act(running)


def process(trial: SubmittedTrial) -> int:
    """The process that runs a trial."""
    return int(trial.worker.split(":")[-2])


def search(
    search_plan: Plan,
    storage: StudyStorage,
    workers: int = 1,
    trials: int = 3,
    watch: Watch | None = None,
    **more: object,
):
    """Search and return the study, read again from its storage."""
    study = open_study(search_plan, storage)
    watch = watch or Watch()
    with closing(LocalEngine(workers, **more)) as engine:
        Search(study, storage, search_plan, watch).run(engine, Budget(trials))
    return optuna.load_study(study_name=study.study_name, storage=storage.open())


def states(study: optuna.Study) -> list[TrialState]:
    return [trial.state for trial in study.get_trials()]


def busy(running: Collection[SubmittedTrial]) -> SubmittedTrial | None:
    return next((each for each in running if each.number is not None), None)


def kill_once(number: int) -> Callable[[Collection[SubmittedTrial]], None]:
    """Kill the process of a trial with a signal that nothing can catch, once."""
    killed: list[int] = []

    def act(running: Collection[SubmittedTrial]) -> None:
        for each in running:
            if each.number == number and not killed:
                killed.append(process(each))
                os.kill(process(each), signal.SIGKILL)

    return act


def test_folds_for_which_the_samples_do_not_suffice_are_refused_before_a_search(tmp_path):
    searches.save_samples(tmp_path)
    search_module.check_folds(plan(tmp_path, folds=120))
    search_module.check_folds(plan(tmp_path))
    with pytest.raises(ModelyardError, match="500 folds of 120 samples: set `folds` to 120 at most"):
        search_module.check_folds(plan(tmp_path, folds=500))


def test_trial_0_is_the_experiment_and_the_score_is_its_validation_metric(tmp_path, storage):
    study = search(plan(tmp_path), storage)
    assert study.trials[0].params == {"model.n_estimators": 20, "model.max_depth": 3}
    assert states(study) == [TrialState.COMPLETE] * 3
    for trial in study.trials:
        assert trial.value == trial.intermediate_values[max(trial.intermediate_values)]
        assert trial.user_attrs["epochs"] == trial.user_attrs["epochs_planned"] == 1  # an estimator is fitted at once
        assert trial.user_attrs["seconds"] > 0
        assert trial.user_attrs["worker"].count(":") == 2
    assert study.user_attrs["metric"] == "val_mae"
    assert study.user_attrs["experiment"] == "made_up_boosting"
    assert study.user_attrs["space"]["search_space"]["model.max_depth"] == {"choices": [1, 2, 3]}


def test_two_workers_share_one_journal_and_run_the_number_of_trials(tmp_path, storage):
    watch = Watch()
    study = search(plan(tmp_path), storage, workers=2, trials=7, watch=watch)
    assert states(study) == [TrialState.COMPLETE] * 7
    assert sorted(each.number for each in watch.finished) == list(range(7))
    assert len(watch.processes) == 2
    assert len({trial.user_attrs["worker"] for trial in study.trials}) == 2
    suggested = [tuple(trial.params.values()) for trial in study.trials]
    assert len(set(suggested)) >= 5, "the workers suggest alike"


def test_one_worker_samples_the_same_values_again_and_after_a_resume(tmp_path, storage):
    other = StudyStorage(str(tmp_path / "other.journal"))
    whole = search(plan(tmp_path), storage, trials=4)
    search(plan(tmp_path), other, trials=2)
    in_two = search(plan(tmp_path), other, trials=4)
    assert [trial.params for trial in whole.trials] == [trial.params for trial in in_two.trials]
    assert [trial.value for trial in whole.trials] == [trial.value for trial in in_two.trials]


def test_a_trial_whose_worker_was_killed_fails_and_is_retried(tmp_path, storage):
    searches.save_samples(tmp_path, 1500)
    watch = Watch(kill_once(1))
    study = search(plan(tmp_path, search_space=SLOW), storage, workers=2, trials=4, watch=watch)
    assert study.trials[1].state is TrialState.FAIL
    assert study.trials[1].user_attrs["reason"] == "its process ended (SIGKILL, perhaps out of memory)"
    again = [trial for trial in study.trials if trial.user_attrs.get("again") == 1]
    assert [trial.state for trial in again] == [TrialState.COMPLETE]
    assert study.trials[1].params.items() <= again[0].params.items()  # it may die before it has any
    assert states(study).count(TrialState.COMPLETE) == 4


def test_a_trial_that_kills_each_worker_is_not_retried_forever(tmp_path, storage):
    searches.save_samples(tmp_path, 1500)

    def kill(running: Collection[SubmittedTrial]) -> None:
        if each := busy(running):
            os.kill(process(each), signal.SIGKILL)

    study = search(plan(tmp_path, search_space=SLOW), storage, trials=1, watch=Watch(kill))
    assert states(study) == [TrialState.FAIL] * retries.MAX_DEATHS
    assert [trial.user_attrs.get("again") for trial in study.trials] == [None, 0, 1]


def test_ctrl_c_keeps_finished_trials_and_running_ones_are_retried(tmp_path, storage):
    searches.save_samples(tmp_path, 1500)

    def interrupt(running: Collection[SubmittedTrial]) -> None:
        each = busy(running)
        if each and each.number == 1:
            raise KeyboardInterrupt

    search_plan = plan(tmp_path, search_space=SLOW)
    watch = Watch(interrupt)
    with pytest.raises(KeyboardInterrupt):
        search(search_plan, storage, trials=3, watch=watch)
    assert not any(_alive(pid) for pid in watch.processes)
    stopped = open_study(search_plan, storage)
    assert states(stopped) == [TrialState.COMPLETE, TrialState.FAIL, TrialState.WAITING]
    assert stopped.trials[1].user_attrs["reason"] == "stopped by a person or a program"
    study = search(search_plan, storage, trials=3)
    assert study.trials[1].params.items() <= study.trials[2].params.items()  # it may end before it has any
    assert states(study).count(TrialState.COMPLETE) == 3


DYING = """
import os, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from support.paths import PARAMS
from support.searches import plan
from modelyard.orchestration.local_engine import LocalEngine
from modelyard.params.study import Range
from modelyard.tuning.search import Budget, Search
from modelyard.tuning.storage import StudyStorage, open_study
def die(running, finished):
    if any(each.number == 1 for each in running):
        os.kill(os.getpid(), 9)
if __name__ == "__main__":
    search_plan = plan(Path({folder!r}), search_space={{"model.n_estimators": Range(low=10, high=500)}})
    storage = StudyStorage({journal!r})
    Search(open_study(search_plan, storage), storage, search_plan, die).run(LocalEngine(1), Budget(3))
"""


def test_a_killed_search_leaves_no_worker_and_can_be_resumed(tmp_path, storage):
    searches.save_samples(tmp_path, 1500)
    script = tmp_path / "dying.py"
    names = {"tests": str(Path(__file__).parents[1]), "folder": str(tmp_path), "journal": storage.address}
    script.write_text(DYING.format(**names))
    assert subprocess.run([sys.executable, script], timeout=BOUND).returncode == -signal.SIGKILL
    worker = _worker_of(storage, 1)
    until = time.monotonic() + BOUND
    while _alive(worker) and time.monotonic() < until:
        time.sleep(0.1)
    assert not _alive(worker)
    study = search(plan(tmp_path, search_space=SLOW), storage, trials=3)
    assert states(study).count(TrialState.COMPLETE) == 3


def _worker_of(storage: StudyStorage, number: int) -> int:
    study = optuna.load_study(study_name="made_up", storage=storage.open())
    return int(study.trials[number].user_attrs["worker"].split(":")[-2])


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_worker_over_its_memory_limit_is_replaced(tmp_path, storage):
    watch = Watch()
    study = search(plan(tmp_path), storage, trials=3, watch=watch, max_bytes=1)
    assert states(study) == [TrialState.COMPLETE] * 3
    assert len({trial.user_attrs["worker"] for trial in study.trials}) == 3
    assert len(watch.processes) == 3


def test_a_trial_that_raises_is_stored_with_its_reason_and_the_search_goes_on(tmp_path, storage):
    search_plan = plan(tmp_path, search_space={"input": Choices(choices=("made_up", "missing"))})
    study = search(search_plan, storage, trials=6)
    failed = [trial for trial in study.trials if trial.state is TrialState.FAIL]
    assert failed
    assert {trial.params["input"] for trial in failed} == {"missing"}
    assert all(trial.user_attrs["reason"].startswith("FileNotFoundError: ") for trial in failed)
    assert study.best_trial.params["input"] == "made_up"


def test_the_same_failure_five_times_in_a_row_stops_the_search(tmp_path, storage):
    (tmp_path / "data" / "inputs" / "made_up" / "training" / "x.npy").unlink()
    with pytest.raises(
        ModelyardError, match="stopped: 5 trials in a row failed with the same error, FileNotFoundError"
    ):
        search(plan(tmp_path), storage, trials=30)
    resumed = open_study(plan(tmp_path), storage)
    assert states(resumed) == [TrialState.FAIL] * 5 + [TrialState.WAITING], "the baseline is trained again"
    assert resumed.trials[-1].system_attrs["fixed_params"] == resumed.trials[0].params


def test_values_that_have_a_score_are_not_trained_again(tmp_path, storage):
    study = search(plan(tmp_path, search_space={"model.max_depth": Choices(choices=(2, 3))}), storage, trials=5)
    trained = [trial for trial in study.trials if "repeats" not in trial.user_attrs]
    repeats = [trial for trial in study.trials if "repeats" in trial.user_attrs]
    assert sorted(trial.params["model.max_depth"] for trial in trained) == [2, 3]
    for trial in repeats:
        first = study.trials[trial.user_attrs["repeats"]]
        assert first in trained
        assert (trial.params, trial.value, trial.state) == (first.params, first.value, TrialState.COMPLETE)


def test_no_trial_starts_after_the_seconds_are_over(tmp_path, storage):
    search_plan = plan(tmp_path)
    study = open_study(search_plan, storage)
    started = time.monotonic()
    with closing(LocalEngine(1)) as engine:
        Search(study, storage, search_plan, Watch()).run(engine, Budget(100_000, timeout=8.0))
    assert time.monotonic() - started >= 8.0
    assert not any(state is TrialState.RUNNING for state in states(study))


def test_a_search_without_a_better_score_ends_and_goes_on_once_the_rule_is_gone(tmp_path, storage):
    search_space = {"model.max_depth": Choices(choices=(3,)), "model.n_estimators": Choices(choices=(20, 21))}
    ruled = plan(tmp_path, search_space=search_space, max_stagnation_trials=5)
    study = open_study(ruled, storage)
    searching = Search(study, storage, ruled, Watch())
    with closing(LocalEngine(1)) as engine:
        searching.run(engine, Budget(100_000))
        ended = len(study.trials)
        assert searching.has_stagnated
        assert ended == study.best_trial.number + 1 + 5
        searching.run(engine, Budget(100_000))
        assert len(study.trials) == ended
        unruled = plan(tmp_path, search_space=search_space)
        Search(study, storage, unruled, Watch()).run(engine, Budget(ended + 1))
    assert len(study.trials) == ended + 1


class Seeds(LocalEngine):
    """Records the seed of each trial that a search starts."""

    def __init__(self) -> None:
        super().__init__(1)
        self.seeds: list[tuple[int, ...]] = []

    def submit(self, task: Task) -> None:
        assert isinstance(task.work, Call)
        self.seeds.append(task.work.argument.seed)
        super().submit(task)


def test_searches_in_two_containers_sample_different_values_though_both_are_process_1(tmp_path, storage, monkeypatch):
    search_plan, engine = plan(tmp_path), Seeds()
    open_study(search_plan, storage)
    with closing(engine):
        for host in ("pod-a", "pod-b"):
            monkeypatch.setattr("modelyard.tuning.search.this_process", lambda host=host: f"{host}:1:0")
            Search(open_study(search_plan, storage), storage, search_plan, Watch()).run(
                engine, Budget(len(engine.seeds) + 1), joined=True
            )
    (*_, first), (*_, second) = engine.seeds
    assert first != second


def test_the_storage_is_not_read_while_every_worker_is_busy(tmp_path, storage, monkeypatch):
    search_plan, counted_trials, reads = plan(tmp_path, search_space=SLOW), retries.counted_trials, []
    searching = Search(open_study(search_plan, storage), storage, search_plan, Watch())
    monkeypatch.setattr(
        retries,
        "counted_trials",
        lambda trials: reads.append(len(searching._submitted)) or counted_trials(trials),
    )
    with closing(LocalEngine(1)) as engine:
        searching.run(engine, Budget(3))
    assert 0 in reads
    assert 1 not in reads


def test_the_cores_are_divided_among_the_busy_workers_and_the_last_has_all(tmp_path, storage, monkeypatch):
    divided: list[list[int]] = []
    monkeypatch.setattr(local_engine, "divide_cores", divided.append)
    watch = Watch()
    search(plan(tmp_path, search_space=SLOW), storage, workers=2, trials=3, watch=watch)
    assert {len(busy) for busy in divided} >= {1, 2}
    assert {process for busy in divided for process in busy} == watch.processes
    assert all(before != after for before, after in itertools.pairwise(divided))


def rebuild(folder: Path, stop_after: int | None = None) -> optuna.Study:
    finished: list[TrialFinished] = []

    def on_update(_: object, now: list[TrialFinished]) -> None:
        finished.extend(now)
        if len(finished) == stop_after:
            finished.append(finished[-1])  # interrupt once
            raise KeyboardInterrupt

    return rebuild_study(params.load(PARAMS), "made_up", folder, on_update)


def scores(study: optuna.Study) -> list[tuple]:
    """The values and the score of each finished trial."""
    finished = [trial for trial in study.trials if trial.state is TrialState.COMPLETE]
    return [(tuple(trial.params.items()), trial.value) for trial in finished]


def test_a_rebuild_starts_a_new_study_continues_a_stopped_one_and_finds_the_same(tmp_path, storage, monkeypatch):
    monkeypatch.setattr(search_module, "make_plan", lambda project, name, root: plan(root))
    monkeypatch.delenv("MODELYARD_OPTUNA_STORAGE", raising=False)
    first = rebuild(tmp_path)
    assert (first.study_name, len(scores(first))) == ("made_up", 4)
    with pytest.raises(KeyboardInterrupt):
        rebuild(tmp_path, stop_after=2)
    second = rebuild(tmp_path)
    assert second.study_name == "made_up-2", "a new study, and continued"
    assert scores(second) == scores(first)
    assert rebuild(tmp_path).study_name == "made_up-3"


def test_a_stopped_rebuild_of_another_seed_is_not_continued(tmp_path, storage, monkeypatch):
    monkeypatch.setattr(search_module, "make_plan", lambda project, name, root: plan(root))
    monkeypatch.delenv("MODELYARD_OPTUNA_STORAGE", raising=False)
    with pytest.raises(KeyboardInterrupt):
        rebuild(tmp_path, stop_after=2)
    monkeypatch.setattr(search_module, "make_plan", lambda project, name, root: plan(root, seed=99))
    assert rebuild(tmp_path).study_name == "made_up-2"


def test_no_other_search_runs_in_the_study_of_a_rebuild(tmp_path, storage, monkeypatch):
    monkeypatch.setattr(search_module, "make_plan", lambda project, name, root: plan(root))
    monkeypatch.delenv("MODELYARD_OPTUNA_STORAGE", raising=False)
    with only_search("made_up", tmp_path), pytest.raises(ModelyardError, match="a search of study made_up is running"):
        rebuild(tmp_path)


def interrupt_once(number: int) -> Callable[[Collection[SubmittedTrial]], None]:
    """Interrupt the search while a trial runs, as Ctrl-C does, once."""
    interrupted: list[int] = []

    def act(running: Collection[SubmittedTrial]) -> None:
        if not interrupted and any(each.number == number for each in running):
            interrupted.append(number)
            raise KeyboardInterrupt

    return act


@pytest.mark.parametrize("disturb", [interrupt_once, kill_once])
def test_a_search_that_is_disturbed_in_the_middle_of_a_trial_finds_the_same_values(tmp_path, storage, disturb):
    searches.save_samples(tmp_path, 1500)
    search_plan, watch = plan(tmp_path, search_space=SLOW), Watch(disturb(2))
    undisturbed = search(search_plan, StudyStorage(str(tmp_path / "undisturbed.journal")), trials=5)
    with suppress(KeyboardInterrupt):
        search(search_plan, storage, trials=5, watch=watch)
    disturbed = search(search_plan, storage, trials=5)
    assert states(disturbed).count(TrialState.FAIL) == 1
    assert scores(disturbed) == scores(undisturbed)
