"""A new study begins with the best trials of an earlier one."""

from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.trial import TrialState, create_trial
from support.searches import plan

from modelyard.core.errors import ModelyardError
from modelyard.params.study import Choices, Range
from modelyard.tuning.plan import Plan
from modelyard.tuning.storage import StudyStorage, find_study, names_of, open_study
from modelyard.tuning.warm_start import SOURCE, enqueue_best, find_earlier

SCORES = {
    (40, 2): 0.3,
    (60, 1): 0.2,
    (15, 3): 0.4,
    (30, 2): 0.5,
    (20, 3): 0.6,
}  # by trees and depth; the last: baseline
WIDER = {"model.n_estimators": Range(low=20, high=50), "model.max_depth": Choices(choices=(2, 3, 4))}


@pytest.fixture
def storage(tmp_path: Path) -> StudyStorage:
    """A journal."""
    return StudyStorage(str(tmp_path / "made_up.journal"))


def searched(folder: Path, storage: StudyStorage) -> optuna.Study:
    """A study whose trials have ended."""
    study = open_study(plan(folder), storage)
    distributions = {
        "model.n_estimators": IntDistribution(10, 60),
        "model.max_depth": CategoricalDistribution((1, 2, 3)),
    }
    for values, score in SCORES.items():
        given = dict(zip(distributions, values, strict=True))
        study.add_trial(create_trial(value=score, params=given, distributions=distributions))
    return study


def waiting(study: optuna.Study) -> list[dict]:
    """The values of the trials that wait, after the baseline."""
    trials = study.get_trials(states=[TrialState.WAITING])
    assert trials[0].system_attrs["fixed_params"] == {"model.n_estimators": 20, "model.max_depth": 3}
    return [trial.system_attrs["fixed_params"] for trial in trials[1:]]


def begin(search_plan: Plan, storage: StudyStorage, new: bool = False) -> tuple[optuna.Study, list[str]]:
    """Open a study as a search does; return it, and the trials that were enqueued."""
    earlier = find_earlier(find_study(search_plan, storage, new), search_plan, storage)
    study = open_study(search_plan, storage, new)
    return study, enqueue_best(study, search_plan, earlier) if earlier else []


def test_the_best_three_are_enqueued_with_the_values_that_the_new_space_allows(tmp_path, storage):
    searched(tmp_path, storage)
    study, enqueued = begin(plan(tmp_path, search_space=WIDER, warm_start="made_up"), storage, new=True)
    assert enqueued == ["made_up, trial 1"]  # 2: no value is left; 3: the baseline has it
    assert waiting(study) == [{"model.n_estimators": 40, "model.max_depth": 2}]


def test_a_study_that_has_begun_is_left_as_it_is(tmp_path, storage):
    before = len(searched(tmp_path, storage).trials)
    study, enqueued = begin(plan(tmp_path, warm_start="made_up"), storage)
    assert (len(study.trials), enqueued) == (before, [])


def test_without_being_asked_a_new_study_starts_from_nothing(tmp_path, storage):
    searched(tmp_path, storage)
    assert begin(plan(tmp_path), storage, new=True)[1] == []


def test_another_study_is_found_in_the_same_storage_or_in_the_file_beside_it(tmp_path, storage):
    searched(tmp_path, storage)
    other = replace(plan(tmp_path, warm_start="made_up"), name="finer")
    for address in (storage.address, str(tmp_path / "finer.journal")):
        study, enqueued = begin(other, StudyStorage(address))
        assert enqueued[0] == "made_up, trial 2"
        assert study.trials[1].user_attrs[SOURCE] == "made_up, trial 2"


def test_a_study_without_a_finished_trial_is_no_start_and_no_study_is_created(tmp_path, storage):
    other = replace(plan(tmp_path, warm_start="made_up"), name="finer")
    with pytest.raises(
        ModelyardError, match=r"study made_up has no finished trial .* modelyard tune made_up, or remove"
    ):
        begin(other, storage)
    assert names_of("finer", storage.open()) == []


def test_the_first_study_of_its_own_entry_starts_from_nothing(tmp_path, storage):
    assert begin(plan(tmp_path, warm_start="made_up"), storage)[1] == []


def test_an_empty_study_between_is_passed_over(tmp_path, storage):
    searched(tmp_path, storage)
    open_study(plan(tmp_path), storage, new=True)
    study, enqueued = begin(plan(tmp_path, warm_start="made_up"), storage, new=True)
    assert (study.study_name, enqueued[0]) == ("made_up-3", "made_up, trial 2")
