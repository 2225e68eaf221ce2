"""What a replication shows while it runs."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from modelyard.params.claim import ClaimSettings, Side
from modelyard.params.project import Project
from modelyard.params.variants import resolve
from modelyard.replication.confirmation import Configuration, series_of
from modelyard.replication.paired_runs import both_series
from modelyard.replication.run_display import RunDisplay
from modelyard.replication.series import Outcome, Series
from modelyard.replication.single_run import Job


@pytest.fixture
def jobs(project: Project, kept: Path) -> list[Job]:
    series = Series("linear", resolve(project, "linear", {}), project.runtime)
    return [series.job(offset, kept) for offset in range(3)]


@pytest.fixture
def display() -> RunDisplay:
    return RunDisplay(Console(width=80, file=StringIO(), color_system=None), total=3, seconds=60.0)


def printed(display: RunDisplay) -> list[str]:
    return [line.rstrip() for line in display._console.file.getvalue().splitlines()]


def live(display: RunDisplay) -> list[str]:
    console = Console(width=80, file=StringIO(), color_system=None)
    console.print(display.live())
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_a_run_has_a_live_line_from_its_begin_to_its_end_and_one_that_stays_afterwards(display, jobs) -> None:
    first, second, _ = jobs
    display.show(first)
    display.show(second)
    assert live(display) == ["… linear seed 7    0.0 s", "… linear seed 8    0.0 s", "0 of 3 runs"]
    display.show(Outcome(first, {"seconds": 2.5}))
    assert printed(display) == ["✓ linear seed 7    2.5 s"]
    assert live(display)[:-1] == ["… linear seed 8    0.0 s"]
    assert live(display)[-1].startswith("1 of 3 runs, about ")


def test_a_run_that_failed_has_the_reason_in_its_line(display, jobs) -> None:
    display.show(jobs[0])
    display.show(Outcome(jobs[0], error="ValueError: no"))
    assert printed(display) == ["✗ linear seed 7  ValueError: no"]
    assert (display.ended, display.failed) == (1, 1)


def test_a_run_that_diverged_has_ended_and_says_why(display, jobs) -> None:
    display.show(Outcome(jobs[0], {"seconds": 2.5, "diverged": "the loss became nan"}))
    assert printed(display) == ["✓ linear seed 7    2.5 s  the loss became nan"]
    assert (display.ended, display.failed) == (1, 0)


def test_a_run_that_a_cluster_begins_again_has_one_line(display, jobs) -> None:
    display.show(jobs[0])
    display.show(jobs[0])
    assert len(live(display)) == 2


def test_runs_of_one_experiment_are_named_by_their_trial_or_their_side_of_a_claim(display, project, kept) -> None:
    first, second = Side(experiment="linear"), Side(experiment="linear", changes={"split.first": 50})
    claim = ClaimSettings(
        says="more samples help",
        first=first,
        second=second,
        changes={"training.seed": 9},
        metric="mae",
        direction="lower",
        smallest=0.1,
        seeds=5,
    )
    trials = [series_of(project, "linear", Configuration(trial, {})) for trial in (None, 3)]
    for series in (*trials, *(side for side, _ in both_series(project, claim, None))):
        display.show(Outcome(series.job(0, kept), {"seconds": 2.5}))
    assert printed(display) == [
        "✓ linear seed 8    2.5 s",
        "✓ linear trial 3 seed 8    2.5 s",
        "✓ linear seed 9    2.5 s",
        "✓ linear with split.first 50 seed 9    2.5 s",
    ]
