"""What is read from a study: made-up trials with known figures."""

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState
from support.studies import ALL, BEST, FAILED, KILLED, PRESENT, PRUNED, SPOILT, WORSE, study, trial

from modelyard.tuning.results import find, reason

RATES = st.floats(0.0001, 0.1)


def test_the_best_trial_is_held_against_the_present_experiment() -> None:
    found = find(study(*ALL))
    assert (found.present.number, found.best.number) == (0, 1)
    assert found.gain == pytest.approx(0.04)
    assert found.counts == {"finished": 3, "pruned": 1, "failed": 2}


def test_where_less_is_better_the_gain_is_what_was_saved() -> None:
    found = find(study(trial([3.0]), trial([5.0], rate=0.01), trial([2.5], rate=0.02), up=False))
    assert (found.best.number, found.gain) == (2, 0.5)


@given(st.lists(st.tuples(st.floats(0, 1), RATES), min_size=1, max_size=6), st.booleans())
def test_no_trial_is_better_than_the_best_and_no_gain_is_negative(scored: list, up: bool) -> None:
    found = find(study(*(trial([score], rate=rate) for score, rate in scored), up=up))
    scores = [score for score, _ in scored]
    assert found.best.value == (max if up else min)(scores)
    assert found.gain == abs(found.best.value - scores[0])


def test_of_equal_trials_the_earliest_is_best() -> None:
    assert find(study(PRESENT, trial([0.9], rate=0.05))).best.number == 0


def test_the_present_experiment_is_found_where_its_first_trial_was_killed_and_run_again() -> None:
    assert find(study(trial([], TrialState.FAIL), BEST, PRESENT)).present.number == 2


def test_a_trial_that_waits_is_known_by_the_values_it_was_enqueued_with() -> None:
    made = study()
    made.enqueue_trial(PRESENT.params)
    made.add_trials([BEST, PRESENT])
    assert find(made).present.number == 2


@pytest.mark.parametrize("trials", [(), (PRUNED,), (SPOILT, BEST)])
def test_there_is_no_gain_before_best_and_present_have_finished(trials: tuple) -> None:
    assert find(study(*trials)).gain is None


def test_pruning_spares_the_epochs_that_were_planned_and_not_run() -> None:
    found = find(study(*ALL))
    assert found.epochs_run == 4 + 5 + 2 + 1 + 0 + 3
    assert found.epochs_spared == 6 - 2
    assert found.seconds == 2.0 * found.epochs_run
    assert found.seconds_spared == 8.0, "four epochs of two seconds each"


def test_an_epoch_that_a_failed_trial_did_not_run_was_not_spared_by_pruning() -> None:
    assert find(study(PRESENT, FAILED, KILLED)).epochs_spared == 0


def test_a_list_stands_again_as_in_params_yaml_and_no_other_value_changes() -> None:
    found = find(study(BEST))
    assert found.settings_of(found.best) == {
        "model.filters": [16, 32],
        "training.epochs": 5,
        "training.learning_rate": 0.01,
    }


def test_a_study_that_was_begun_anew_has_the_name_of_its_entry() -> None:
    assert find(study(name="digits_cnn-3")).entry == "digits_cnn"


def test_a_reason_is_one_line_and_a_killed_process_left_none() -> None:
    assert [reason(each) for each in (FAILED, KILLED)] == ["MemoryError: no room for 4 GB", "its process was killed"]


def test_reading_a_study_asks_its_storage_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made, asked = study(*ALL, WORSE), []
    true = optuna.Study.get_trials
    monkeypatch.setattr(optuna.Study, "get_trials", lambda *given, **named: asked.append(1) or true(*given, **named))
    found = find(made)
    assert found.best and found.gain and found.epochs_spared and found.settings_of(found.best)
    assert len(asked) == 1
