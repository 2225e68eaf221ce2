"""Terminal output of a search: a line for each trial that has ended, live lines of those that run, and of the whole."""

import time
from collections.abc import Collection, Sequence

from optuna import Study
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from modelyard.core.report_text import duration_text
from modelyard.tuning.results import format_value, read_study, score
from modelyard.tuning.search import Budget, SubmittedTrial
from modelyard.tuning.sparkline import sparkline
from modelyard.tuning.worker import TrialFinished

MARKS = {"COMPLETE": ("✓", "green"), "PRUNED": ("✂", "yellow"), "FAIL": ("✗", "bold red")}


class TrialDisplay:
    """Shows a search while it runs; outside a terminal only the lines of trials that have ended."""

    def __init__(self, console: Console, study: Study, budget: Budget) -> None:
        self._console, self._study, self._budget = console, study, budget
        self._started, self._results = time.monotonic(), read_study(study)
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> "TrialDisplay":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, running: Collection[SubmittedTrial], ended: Sequence[TrialFinished]) -> None:
        """Print trials that have just ended, and update the live lines."""
        if ended:
            self._results = read_study(self._study)
        for trial in ended:
            self._console.print(self._trial_line(trial), soft_wrap=True)
        if self._console.is_terminal:
            lines = [self._running_line(trial) for trial in running]
            self._live.update(Group(*lines, self._summary(len(running))), refresh=True)

    def _trial_line(self, ended: TrialFinished) -> Text:
        mark, style = MARKS[ended.state]
        line = Text(f"{mark} ", style=style, no_wrap=True, overflow="ellipsis")
        if ended.number < 0:  # its process died before the trial started
            return line.append(ended.reason, style="default")
        trial = self._results.trials[ended.number]
        seconds = trial.user_attrs.get("seconds")
        line.append(f"trial {trial.number:3} ", style="default")
        line.append(f"{seconds:6.1f} s  " if seconds is not None else "", style="dim")
        line.append(f"{ended.score:.4g}  " if ended.score is not None else "", style="bold")
        line.append("best  " if trial is self._results.best else "", style="bold green")
        line.append(self._curve(list(trial.intermediate_values.values())), style="cyan")
        line.append(f"{ended.reason}  " if ended.reason else "", style="red")
        return line.append(
            "  ".join(f"{key} {format_value(value)}" for key, value in trial.params.items()), style="dim"
        )

    def _running_line(self, trial: SubmittedTrial) -> Text:
        line = Text("… ", style="cyan", no_wrap=True, overflow="ellipsis")
        line.append("trial   … " if trial.number is None else f"trial {trial.number:3} ", style="default")
        line.append(f"{time.monotonic() - trial.started:6.1f} s  ", style="dim")
        if not trial.epochs:
            return line.append("" if trial.worker else "starting", style="dim")
        last = trial.epochs[-1]
        line.append(f"{last.score:.4g}  ", style="dim")
        line.append(self._curve([epoch.score for epoch in trial.epochs]), style="cyan")
        return line.append(f"epoch {last.number}/{last.planned}", style="dim")

    def _curve(self, curve: Sequence[float]) -> str:
        return f"{sparkline(curve, self._results.scores)}  " if curve else ""

    def _summary(self, running: int) -> Text:
        """How many trials have ended, the time that is left, the best score, and what pruning has saved."""
        results, ended = self._results, self._results.ended
        parts = [f"{len(ended)} of {self._budget.n_trials} trials"]
        left = self._seconds_left(running)
        if left > 0:
            parts.append(f"about {duration_text(left)} left")
        if results.best:
            parts.append(f"best {format_value(score(results.best))} (trial {results.best.number})")
        if results.epochs_spared:
            share = results.epochs_spared / (results.epochs_spared + results.epochs_run)
            parts.append(f"{share:.0%} of epochs saved")
        return Text(", ".join(parts), style="dim", no_wrap=True, overflow="ellipsis")

    def _seconds_left(self, running: int) -> float:
        """An estimate from the mean duration of the trials so far; 0 before the first has ended."""
        results, ended = self._results, len(self._results.ended)
        left = results.seconds / max(1, ended) * (self._budget.n_trials - ended) / max(1, running)
        limit = self._budget.timeout
        return min(left, self._started + limit - time.monotonic()) if limit else left
