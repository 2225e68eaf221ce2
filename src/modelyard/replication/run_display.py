"""Terminal output of a replication: a line for each run that has ended, live lines of those that run."""

import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.text import Text

from modelyard.core.work_display import DONE, FAILED, RUNNING, WorkDisplay, progress_parts, work_line
from modelyard.replication.series import Outcome
from modelyard.replication.single_run import Job


class RunDisplay(WorkDisplay):
    """Shows runs while they are done.

    Attributes:
        ended: how many have ended.
        failed: how many of these have failed.
    """

    def __init__(self, console: Console, total: int, seconds: float) -> None:
        """Show nothing yet.

        Args:
            console: where to print.
            total: the number of runs.
            seconds: after which none begins any more.
        """
        super().__init__(console)
        self._total, self._began, self._seconds = total, time.monotonic(), seconds
        self._running: dict[Path, tuple[str, float]] = {}  # the name and start of each, by its file
        self.ended = self.failed = 0

    def show(self, what: Job | Outcome) -> None:
        """Show a run that begins from now on, or print one that has ended."""
        if isinstance(what, Job):
            self._running = {
                **self._running,
                what.file: (_name(what), time.monotonic()),
            }  # the display's thread reads it
            return
        self._running = {file: each for file, each in self._running.items() if file != what.job.file}
        self.ended += 1
        self.failed += bool(what.error)
        if what.error:
            self.print(work_line(FAILED, f"{_name(what.job)} ").append(what.error, style="dim"))
        else:
            line = work_line(DONE, _name(what.job), what.result["seconds"])
            self.print(line.append(what.result.get("diverged", ""), style="dim"))

    def _running_lines(self) -> Iterator[Text]:
        now = time.monotonic()
        return (work_line(RUNNING, name, now - began) for name, began in self._running.values())

    def _summary(self) -> Iterator[str]:
        elapsed = time.monotonic() - self._began
        left = min(elapsed / max(1, self.ended) * (self._total - self.ended), max(0.0, self._seconds - elapsed))
        return progress_parts(self.ended, self._total, "runs", left if self.ended else 0.0)


def _name(job: Job) -> str:
    return f"{job.name or job.experiment} seed {job.resolved.seed}"
