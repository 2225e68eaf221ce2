"""What a search shows while it runs."""

import time
from io import StringIO
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from rich.console import Console
from support.studies import ALL, BASELINE, BEST, PRUNED, study, trial

from modelyard.cli.trial_display import TrialDisplay
from modelyard.tuning.search import Budget
from modelyard.tuning.worker import EpochFinished, TrialFinished

BUDGET = Budget(12)


def worker(*scores: float, number: int | None = 6, state: str = "busy") -> Any:
    epochs = [EpochFinished(epoch, 5, score) for epoch, score in enumerate(scores, start=1)]
    process = SimpleNamespace(pid=17)
    return SimpleNamespace(number=number, state=state, started=time.monotonic(), epochs=epochs, process=process)


def shown(
    searched: optuna.Study, workers: list[Any], *ended: TrialFinished, budget: Budget = BUDGET, terminal: bool = True
) -> list[str]:
    console = Console(width=80, file=StringIO(), force_terminal=terminal, color_system=None)
    display = TrialDisplay(console, searched, budget)
    display.show(workers, ended)
    if terminal:
        console.print(display._live.get_renderable())
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
    (line,) = shown(study(), [], TrialFinished(-1, "FAIL", None, "its worker was killed by signal 9"), terminal=False)
    assert line == "✗ its worker was killed by signal 9"


def test_a_running_trial_has_its_last_score_its_curve_and_its_epoch() -> None:
    lines = shown(study(*ALL), [worker(0.2, 0.7, 0.95), worker(number=7), worker(state="starting")])
    assert lines[0].startswith("… trial   6    0.0 s  0.95  ▁▃█  epoch 3/5")
    assert lines[1] == "… trial   7    0.0 s"
    assert lines[2] == "… worker 17 starting"


def test_the_last_line_sums_up_the_search() -> None:
    summary = shown(study(*ALL), [worker(), worker()])[-1]
    assert summary == "6 of 12 trials, about 15.0 s left, best 0.94 (trial 1), 21% of epochs saved"


def test_a_time_limit_bounds_the_time_that_is_left() -> None:
    summary = shown(study(*ALL), [worker()], budget=Budget(1000, timeout=3.0))[-1]
    assert "trials, about 3.0 s left, best" in summary


def test_nothing_is_estimated_before_the_first_trial_has_ended() -> None:
    assert shown(study(), [worker(0.5)])[-1] == "0 of 12 trials"


def test_a_trial_that_was_retried_counts_once() -> None:
    again = trial([0.7], again=0)
    assert shown(study(trial([], TrialState.FAIL), again), [])[-1].startswith("1 of 12 trials")


@pytest.mark.parametrize("searched", [study(), study(BASELINE, BEST)])
def test_the_live_lines_fit_80_columns(searched: optuna.Study) -> None:
    lines = shown(searched, [worker(*[0.123456] * 40), worker(state="idle")])
    assert max(map(len, lines)) <= 80
