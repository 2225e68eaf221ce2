"""Terminal output of a search: a line for each trial that has ended, live lines of those that run, and of the whole."""

import time
from collections.abc import Collection, Iterator, Sequence

from optuna import Study
from rich.console import Console
from rich.text import Text

from modelyard.core.work_display import DONE, FAILED, RUNNING, Mark, WorkDisplay, progress_parts, work_line
from modelyard.tuning.results import format_value, read_study, score
from modelyard.tuning.search import Budget, SubmittedTrial
from modelyard.tuning.sparkline import sparkline
from modelyard.tuning.worker import TrialFinished

MARKS = {"COMPLETE": DONE, "PRUNED": Mark("✂", "yellow"), "FAIL": FAILED}


class TrialDisplay(WorkDisplay):
    """Shows a search while it runs."""

    def __init__(self, console: Console, study: Study, budget: Budget) -> None:
        super().__init__(console)
        self._study, self._budget = study, budget
        self._started, self._results = time.monotonic(), read_study(study)
        self._running: Collection[SubmittedTrial] = ()

    def show(self, running: Collection[SubmittedTrial], ended: Sequence[TrialFinished]) -> None:
        """Print trials that have just ended, and show from now on those that run."""
        if ended:
            self._results = read_study(self._study)
        for trial in ended:
            self.print(self._trial_line(trial))
        self._running = running

    def _trial_line(self, ended: TrialFinished) -> Text:
        mark = MARKS[ended.state]
        if ended.number < 0:  # its process died before the trial started
            return work_line(mark, ended.reason)
        trial = self._results.trials[ended.number]
        line = work_line(mark, f"trial {trial.number:3}", trial.user_attrs.get("seconds"))
        line.append(f"{ended.score:.4g}  " if ended.score is not None else "", style="bold")
        line.append("best  " if trial is self._results.best else "", style="bold green")
        line.append(self._curve(list(trial.intermediate_values.values()), self._results.scores), style="cyan")
        line.append(f"{ended.reason}  " if ended.reason else "", style="red")
        return line.append(
            "  ".join(f"{key} {format_value(value)}" for key, value in self._results.settings_of(trial).items()),
            style="dim",
        )

    def _running_lines(self) -> Iterator[Text]:
        return (self._running_line(trial) for trial in self._running)

    def _running_line(self, trial: SubmittedTrial) -> Text:
        number, epochs = trial.number, trial.epochs  # once: another thread sets them
        line = work_line(RUNNING, f"trial {'…' if number is None else number:>3}", time.monotonic() - trial.started)
        if not epochs:
            return line.append("" if trial.worker else "starting", style="dim")
        last = epochs[-1]
        line.append(f"{last.score:.4g}  ", style="dim")
        curve = [epoch.score for epoch in epochs]
        line.append(self._curve(curve, sorted([*self._results.scores, *curve])), style="cyan")
        return line.append(f"epoch {last.number}/{last.planned}", style="dim")

    def _curve(self, curve: Sequence[float], scores: Sequence[float]) -> str:
        return f"{sparkline(curve, scores)}  " if curve else ""

    def _summary(self) -> Iterator[str]:
        """How many trials have ended, the time that is left, the best score, and what pruning has saved."""
        results = self._results
        yield from progress_parts(len(results.ended), self._budget.n_trials, "trials", self._seconds_left())
        if results.best:
            yield f"best {format_value(score(results.best))} (trial {results.best.number})"
        if results.epochs_spared:
            share = results.epochs_spared / (results.epochs_spared + results.epochs_run)
            yield f"{share:.0%} of epochs saved"

    def _seconds_left(self) -> float:
        """An estimate from the mean duration of the trials so far; 0 before the first has ended."""
        results, ended = self._results, len(self._results.ended)
        left = results.seconds / max(1, ended) * (self._budget.n_trials - ended) / max(1, len(self._running))
        limit = self._budget.timeout
        return min(left, self._started + limit - time.monotonic()) if limit else left
