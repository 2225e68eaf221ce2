"""The results of a study of searched-up trials with known scores."""

import copy

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState
from support.studies import (
    ALL,
    BASELINE,
    BEATEN,
    BEST,
    COMPACT,
    FAILED,
    KILLED,
    LARGE,
    PRUNED,
    SPOILT,
    WORSE,
    confirmed,
    study,
    trial,
    with_tuned,
)

from modelyard.tuning.results import StudyResults, confirmation_rows, read_study, reason

RATES = st.floats(0.0001, 0.1)


def test_the_gain_is_the_difference_of_the_best_trial_and_the_baseline() -> None:
    results = read_study(study(*ALL))
    assert (results.baseline.number, results.best.number) == (0, 1)
    assert results.gain == pytest.approx(0.04)
    assert results.counts == {"finished": 3, "pruned": 1, "failed": 2}


def test_the_gain_of_a_minimized_metric_is_positive() -> None:
    results = read_study(study(trial([3.0]), trial([5.0], rate=0.01), trial([2.5], rate=0.02), maximize=False))
    assert (results.best.number, results.gain) == (2, 0.5)


@given(st.lists(st.tuples(st.floats(0, 1), RATES), min_size=1, max_size=6), st.booleans())
def test_no_trial_is_better_than_the_best_and_no_gain_is_negative(scored: list, maximize: bool) -> None:
    results = read_study(study(*(trial([score], rate=rate) for score, rate in scored), maximize=maximize))
    scores = [score for score, _ in scored]
    assert results.best.value == (max if maximize else min)(scores)
    assert results.gain == abs(results.best.value - scores[0])


def test_of_equal_trials_the_earliest_is_best() -> None:
    assert read_study(study(BASELINE, trial([0.9], rate=0.05))).best.number == 0


def test_the_baseline_is_the_retry_if_trial_0_was_killed() -> None:
    assert read_study(study(trial([], TrialState.FAIL), BEST, BASELINE)).baseline.number == 2


def test_the_baseline_is_known_by_its_enqueued_values_while_trial_0_waits() -> None:
    searched = study()
    searched.enqueue_trial(BASELINE.params)
    searched.add_trials([BEST, BASELINE])
    assert read_study(searched).baseline.number == 2


@pytest.mark.parametrize("trials", [(), (PRUNED,), (SPOILT, BEST)])
def test_there_is_no_gain_before_the_best_trial_and_the_baseline_have_finished(trials: tuple) -> None:
    assert read_study(study(*trials)).gain is None


def test_pruning_spares_planned_epochs_that_were_not_run() -> None:
    results = read_study(study(*ALL))
    assert results.epochs_run == 4 + 5 + 2 + 1 + 0 + 3
    assert results.epochs_spared == 6 - 2
    assert results.seconds == 2.0 * results.epochs_run
    assert results.seconds_spared == 8.0, "four epochs of two seconds each"


def test_a_repeat_spares_the_epochs_of_the_trial_whose_score_it_has() -> None:
    repeat = trial([0.94], rate=0.01, repeats=1)
    repeat.user_attrs["epochs"] = 0
    assert read_study(study(BASELINE, BEST, repeat)).epochs_repeated == 5


def test_stagnation_counts_the_trials_since_the_best_that_have_a_score() -> None:
    assert read_study(study()).stagnation_trials == 0
    assert read_study(study(BASELINE, BEST)).stagnation_trials == 0
    assert read_study(study(BASELINE, WORSE, PRUNED, FAILED, SPOILT)).stagnation_trials == 2
    assert read_study(study(BASELINE, WORSE, PRUNED, BEST, PRUNED)).stagnation_trials == 1


def test_epochs_of_failed_trials_are_not_counted_as_spared() -> None:
    assert read_study(study(BASELINE, FAILED, KILLED)).epochs_spared == 0


def test_settings_are_those_of_params_yaml_with_lists_as_lists() -> None:
    results = read_study(study(BEST))
    assert results.settings_of(results.best) == {
        "model.filters": [16, 32],
        "training.epochs": 5,
        "training.learning_rate": 0.01,
    }


def test_settings_have_the_number_of_epochs_that_was_read_off_the_curve() -> None:
    read_off = trial([0.8, 0.95, 0.9], rate=0.01, read_off=2)
    results = read_study(study(BASELINE, read_off))
    assert results.settings_of(results.trials[1])["training.epochs"] == 2
    assert results.sampled == ["model.filters", "training.learning_rate"]


def test_a_trial_that_reads_off_the_epochs_of_the_baseline_is_no_candidate() -> None:
    same, longer = trial([0.8, 0.8, 0.8, 0.9], read_off=4), trial([0.8, 0.8, 0.8, 0.9, 0.95], read_off=5)
    assert [each.number for each in read_study(study(BASELINE, same)).candidates] == []
    assert [each.number for each in read_study(study(BASELINE, same, longer)).candidates] == [2]


def test_a_second_study_has_the_entry_of_its_name() -> None:
    assert read_study(study(name="digits_cnn-3")).entry == "digits_cnn"


def test_a_reason_is_one_line_and_a_killed_process_has_a_default_one() -> None:
    assert [reason(each) for each in (FAILED, KILLED)] == ["MemoryError: no room for 4 GB", "its process was killed"]


def test_the_storage_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    searched, reads = study(*ALL, WORSE), []
    true = optuna.Study.get_trials
    monkeypatch.setattr(optuna.Study, "get_trials", lambda *given, **named: reads.append(1) or true(*given, **named))
    results = read_study(searched)
    assert results.best and results.gain and results.epochs_spared and results.settings_of(results.best)
    assert len(reads) == 1


def test_a_study_that_was_stored_under_earlier_names_is_read_as_one_of_today() -> None:
    stored = study(*ALL)
    space = dict(stored.user_attrs["space"])
    varied = space.pop("search_space")
    del space["training_samples"]
    stored.set_user_attr("space", space | {"vary": varied, "training_rows": 800})
    results = read_study(stored)
    assert results.search_space == varied
    assert results.space["training_samples"] == 800


def test_the_candidates_are_the_best_trials_with_different_values_without_the_baseline() -> None:
    repeated = trial([0.99], filters="[16, 32]", epochs=5, rate=0.01, repeats=1)
    others = [trial([value], epochs=2, rate=rate) for value, rate in ((0.91, 0.002), (0.92, 0.003), (0.7, 0.004))]
    results = read_study(study(*ALL, repeated, *others))
    assert [each.number for each in results.candidates] == [6, 8, 7]
    assert read_study(study(BASELINE)).candidates == []


@pytest.mark.parametrize("trials, is_current", [((5, 1), True), ((1,), False), ((1, 2), False)])
def test_a_confirmation_is_of_the_trials_that_are_the_best_now(trials: tuple[int, ...], is_current: bool) -> None:
    created = study(*ALL)
    assert not read_study(created).is_confirmed
    created.set_user_attr("confirmation", confirmed(*trials))
    assert read_study(created).is_confirmed is is_current


def test_the_front_has_the_trials_that_no_other_beats_in_all_metrics() -> None:
    again = copy.deepcopy(COMPACT)
    again.set_user_attr("repeats", 1)
    results = read_study(study(LARGE, COMPACT, BEATEN, again))
    assert [trial.number for trial in results.front] == [0, 1], "what was not trained again is there once"
    assert results.front[0] is results.baseline
    assert results.sizes == ("parameters",)
    assert results.best is not None
    assert results.best.number == 0
    assert list(read_study(study(*ALL)).front) == []


def test_the_candidates_are_found_without_the_settings_of_every_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    results = read_study(study(*(trial([score / 100], rate=score / 1000) for score in range(1, 60))))
    asked, settings_of = [], StudyResults.settings_of
    monkeypatch.setattr(StudyResults, "settings_of", lambda self, each: asked.append(each) or settings_of(self, each))
    assert [each.value for each in results.candidates] == [0.59, 0.58, 0.57]
    assert results.candidates is results.candidates
    assert len(asked) < 10


def test_a_candidate_that_diverged_has_a_row_without_numbers() -> None:
    confirmation = confirmed(3)
    confirmation["candidates"][0] |= {"mean": float("nan"), "p_value": 1.0}
    assert confirmation_rows(confirmation)[0] == ("3", "diverged", "", "")


def test_the_tuned_experiment_of_an_earlier_search_stands_between_the_trials_and_the_baseline() -> None:
    rows = confirmation_rows(with_tuned(confirmed(3), 0.91))
    assert [row[0] for row in rows] == ["3", "digits_cnn_tuned", "baseline"]
    assert rows[1] == ("digits_cnn_tuned", "0.91", "+0.02 (+0.01 to +0.03)", "")


@pytest.mark.parametrize("mean, is_better", [(0.91, False), (0.92, True), (0.93, True), (float("nan"), False)])
def test_a_tuned_experiment_stays_unless_a_trial_is_better_over_seeds(mean: float, is_better: bool) -> None:
    created = study(*ALL)
    created.set_user_attr("confirmation", with_tuned(confirmed(5, 1), mean))
    assert (read_study(created).better_tuned is not None) is is_better
