"""Searches whose trials run elsewhere: where they find their data, and how a search comes back to them."""

from collections.abc import Sequence
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from support import searches
from support.engines import Here
from support.searches import plan

from modelyard.core.errors import ModelyardError
from modelyard.orchestration.engine import Call, Task
from modelyard.tuning import retries, worker
from modelyard.tuning.search import Budget, Search, task_name
from modelyard.tuning.storage import StudyStorage, open_study
from modelyard.tuning.worker import RunTrial, run_trial


class Cluster(Here):
    """Runs trials in this process as a cluster would whose workers share the folder; records their tasks."""

    shares_files = False
    capacity = 100

    def __init__(self, taken: Sequence[str] = (), leaves: bool = False) -> None:
        super().__init__()
        self.tasks: list[Task] = []
        self._taken, self._leaves = taken, leaves

    def submit(self, task: Task) -> None:
        self.tasks.append(task)
        super().submit(task)

    def taken(self) -> Sequence[str]:
        return self._taken

    def cancel(self) -> bool:
        return not self._leaves


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyStorage:
    """A journal in the current folder, beside samples that a search can read."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(worker, "_opened", [])  # by its relative path, the study of the test before is the same
    searches.save_samples(tmp_path)
    return StudyStorage(str(tmp_path / "made_up.journal"))


def search(storage: StudyStorage, engine: Here, trials: int = 3) -> optuna.Study:
    folder = Path(storage.address).parent
    study = open_study(plan(folder), storage, on_cluster=True)
    Search(study, storage, plan(folder), lambda running, finished: None).run(engine, Budget(trials))
    return optuna.load_study(study_name=study.study_name, storage=storage.open())


def key(storage: StudyStorage, seed: str) -> str:
    return f"{task_name('made_up', storage)}:{seed}"


def states(study: optuna.Study) -> list[TrialState]:
    return [trial.state for trial in study.trials]


def test_a_trial_finds_its_data_and_its_study_by_relative_paths(storage):
    engine = Cluster()
    study = search(storage, engine)
    assert states(study) == [TrialState.COMPLETE] * 3
    for task in engine.tasks:
        assert task.needs == ("data/inputs/made_up/training",)
        assert isinstance(task.work, Call)
        assert (str(task.work.argument.plan.root), task.work.argument.storage.address) == (".", "made_up.journal")
    assert [trial.user_attrs["task"] for trial in study.trials] == [task.key for task in engine.tasks]


def test_all_trials_are_handed_out_at_once_so_that_they_need_no_search(storage):
    class Impatient(Cluster):
        def watch(self, seconds: float):
            raise KeyboardInterrupt

    engine = Impatient()
    with pytest.raises(KeyboardInterrupt):
        search(storage, engine)
    assert [task.key for task in engine.tasks] == [key(storage, seed) for seed in ("7-0", "7-1", "7-2")]


def test_a_search_comes_back_to_the_trials_that_the_cluster_has_and_retries_those_it_has_lost(storage):
    study = open_study(plan(Path(storage.address).parent), storage)
    for task in (key(storage, "7-0"), key(storage, "7-1")):
        trial = study.ask()
        trial.set_user_attr("worker", "another-machine:1:0")
        trial.set_user_attr(retries.TASK, task)
    engine = Cluster(taken=[key(storage, "7-1"), key(storage, "7-0").replace("made_up", "another")])
    found = search(storage, engine)
    own = [key(storage, "7-1"), key(storage, "7-2")]
    assert [task.key for task in engine.tasks][:2] == own, "no seed is used twice"
    assert found.trials[0].user_attrs["reason"] == "the cluster has lost it"
    assert states(found).count(TrialState.COMPLETE) == 3
    assert not any(state is TrialState.RUNNING for state in states(found))


def test_studies_of_one_name_in_two_databases_have_tasks_of_their_own():
    one, other = (StudyStorage(f"postgresql+psycopg://user@{host}/studies") for host in ("here", "there"))
    assert task_name("made_up", one) != task_name("made_up", other)


def test_a_search_that_leaves_does_not_fail_the_trials_that_go_on(storage):
    class Leaving(Cluster):
        def watch(self, seconds: float):
            trial = open_study(plan(Path(storage.address).parent), storage, on_cluster=True).ask()
            trial.set_user_attr("worker", "another-machine:1:0")
            trial.set_user_attr(retries.TASK, self.tasks[0].key)
            raise KeyboardInterrupt

    for leaves, expected in ((True, TrialState.RUNNING), (False, TrialState.FAIL)):
        with pytest.raises(KeyboardInterrupt):
            search(storage, Leaving(taken=[key(storage, "7-0")], leaves=leaves), trials=2)
        study = open_study(plan(Path(storage.address).parent), storage, on_cluster=True)
        assert study.trials[0].state is expected


def test_a_trial_that_runs_again_after_its_worker_was_lost_has_the_same_values(storage):
    folder = Path(storage.address).parent
    study = open_study(plan(folder), storage)
    lost = study.ask()
    lost.suggest_int("model.n_estimators", 10, 60)
    lost.set_user_attr(retries.TASK, "made_up:7-0")
    done = run_trial(RunTrial(storage, "made_up", plan(folder), "a", (7, 0), "made_up:7-0"))
    trials = open_study(plan(folder), storage, on_cluster=True).trials
    assert trials[0].user_attrs["reason"] == "its worker was lost"
    assert (done.state, trials[done.number].user_attrs["again"]) == ("COMPLETE", 0)
    assert trials[0].params.items() <= trials[done.number].params.items()


def test_a_study_in_a_file_needs_a_folder_that_is_shared(storage):
    engine = Cluster()
    engine.shares_folder = False
    with pytest.raises(ModelyardError, match=r"made_up\.journal, which the machines of the cluster do not have"):
        search(storage, engine)
    assert engine.tasks == []
