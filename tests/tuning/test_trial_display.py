"""What a search shows while it runs."""

import time
from io import StringIO

import optuna
import pytest
from optuna.trial import TrialState
from rich.console import Console
from support.studies import ALL, BASELINE, BEST, PRUNED, study, trial

from modelyard.tuning.search import Budget, SubmittedTrial
from modelyard.tuning.trial_display import TrialDisplay
from modelyard.tuning.worker import EpochFinished, TrialFinished

BUDGET = Budget(12)


def running(*scores: float, number: int | None = 6, worker: str = "host:17:0") -> SubmittedTrial:
    epochs = [EpochFinished(epoch, 5, score) for epoch, score in enumerate(scores, start=1)]
    return SubmittedTrial(time.monotonic(), worker, number, epochs)


def shown(
    searched: optuna.Study,
    trials: list[SubmittedTrial],
    *ended: TrialFinished,
    budget: Budget = BUDGET,
    terminal: bool = True,
) -> list[str]:
    console = Console(width=80, file=StringIO(), force_terminal=terminal, color_system=None)
    display = TrialDisplay(console, searched, budget)
    display.show(trials, ended)
    if terminal:
        console.print(display.live())
    return [line.rstrip() for line in console.file.getvalue().splitlines() if line.strip()]


def test_a_trial_that_has_ended_has_a_line_with_its_score_and_curve() -> None:
    searched = study(BASELINE, PRUNED)
    first, second = shown(
        searched,
        [],
        TrialFinished(0, "COMPLETE", 0.9, ""),
        TrialFinished(1, "PRUNED", 0.41, ""),
        terminal=False,
    )
    assert first.startswith("✓ trial   0    8.0 s  0.9  best  ▄▅▇█  model.filters [32, 64]")
    assert second.startswith("✂ trial   1    4.0 s  0.41  ▁▃  model.filters")


def test_a_trial_whose_worker_died_has_the_reason_in_its_line() -> None:
    (line,) = shown(study(), [], TrialFinished(-1, "FAIL", None, "its process ended (SIGKILL)"), terminal=False)
    assert line == "✗ its process ended (SIGKILL)"


def test_a_running_trial_has_its_last_score_its_curve_and_its_epoch() -> None:
    lines = shown(study(*ALL), [running(0.2, 0.7, 0.95), running(number=7), running(number=None, worker="")])
    assert lines[0].startswith("… trial   6    0.0 s  0.95  ▁▃█  epoch 3/5")
    (first, *_) = shown(study(), [running(0.2, 0.7, 0.95, number=0)])
    assert first.startswith("… trial   0    0.0 s  0.95  ▂▅▇  epoch 3/5"), "it rises before another trial has ended"
    assert lines[1] == "… trial   7    0.0 s"
    assert lines[2] == "… trial   …    0.0 s  starting"


def test_the_last_line_sums_up_the_search() -> None:
    summary = shown(study(*ALL), [running(), running()])[-1]
    assert summary == "6 of 12 trials, about 15.0 s left, best 0.94 (trial 1), 21% of epochs saved"


def test_a_time_limit_bounds_the_time_that_is_left() -> None:
    summary = shown(study(*ALL), [running()], budget=Budget(1000, timeout=3.0))[-1]
    assert "trials, about 3.0 s left, best" in summary


def test_nothing_is_estimated_before_the_first_trial_has_ended() -> None:
    assert shown(study(), [running(0.5)])[-1] == "0 of 12 trials"


def test_a_trial_that_was_retried_counts_once() -> None:
    again = trial([0.7], again=0)
    assert shown(study(trial([], TrialState.FAIL), again), [])[-1].startswith("1 of 12 trials")


@pytest.mark.parametrize("searched", [study(), study(BASELINE, BEST)])
def test_the_live_lines_fit_80_columns(searched: optuna.Study) -> None:
    lines = shown(searched, [running(*[0.123456] * 40), running(number=None, worker="")])
    assert max(map(len, lines)) <= 80
