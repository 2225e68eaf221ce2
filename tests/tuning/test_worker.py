"""Trials in a worker process, and their sampler and pruner."""

import optuna
import pytest
from support.searches import plan, save_samples

from modelyard.tuning.objective import suggest_values
from modelyard.tuning.storage import StudyStorage, open_study
from modelyard.tuning.worker import RunTrial, make_pruner, make_sampler, run_trial


def test_a_worker_that_outlives_a_deleted_study_runs_trials_of_the_new_one(tmp_path):
    """As the workers of a cluster do when a person deletes the file of a study and searches again."""
    save_samples(tmp_path)
    search_plan, journal = plan(tmp_path), tmp_path / "study.journal"
    numbers = []
    for search in ("first", "second"):
        journal.unlink(missing_ok=True)
        storage = StudyStorage(str(journal))
        study = open_study(search_plan, storage)
        numbers.append([run_trial(RunTrial(storage, "made_up", search_plan, search, (7, n))).number for n in range(2)])
        assert len(study.trials) == 2
    assert numbers == [[0, 1], [0, 1]]


def test_each_seed_samples_its_own_values_and_the_same_each_time(tmp_path):
    seeds = [(7, 1), (7, 1), (7, 2), (8, 1), (7, 1, 99)]
    sampled = [suggest_values(optuna.create_study(sampler=make_sampler(seed)).ask(), plan(tmp_path)) for seed in seeds]
    assert sampled[0] == sampled[1]
    assert len({tuple(each.values()) for each in sampled}) >= 3


@pytest.mark.parametrize(
    ("name", "kind"),
    [("median", "MedianPruner"), ("hyperband", "HyperbandPruner"), ("none", "NopPruner")],
)
def test_the_study_names_the_pruner(name, kind, tmp_path):
    assert type(make_pruner(plan(tmp_path, pruner=name))).__name__ == kind
