"""Terminal output of work that runs in parallel: stages, seeds of a replication, trials of a search."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from modelyard.core.report_text import duration_text

REFRESHES = 5  # per second


class Mark(NamedTuple):
    """The symbol that begins a line, and its style."""

    symbol: str
    style: str


DONE, FAILED, RUNNING = Mark("✓", "green"), Mark("✗", "bold red"), Mark("…", "cyan")


class WorkDisplay(ABC):
    """Prints a line for each piece of work that has ended; on a terminal also live lines of those that run."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: Live | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._shown = Live(
                console=self._console, get_renderable=self.live, refresh_per_second=REFRESHES, transient=True
            )
            self._shown.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            self._shown.stop()

    def print(self, line: Text) -> None:
        """Print a line that stays; it is not wrapped, so that addresses and paths can be copied."""
        self._console.print(line, soft_wrap=True)

    def live(self) -> Group:
        """What is written over: the lines of what runs, and of the whole; called by the thread of the display."""
        summary = Text(", ".join(self._summary()), style="dim", no_wrap=True, overflow="ellipsis")
        return Group(*self._running_lines(), summary)

    @abstractmethod
    def _running_lines(self) -> Iterable[Text]:
        """A line for each piece of work that runs."""

    @abstractmethod
    def _summary(self) -> Iterable[str]:
        """What is to be said of the whole; see `progress_parts`."""


def work_line(mark: Mark, name: str, seconds: float | None = None) -> Text:
    """The beginning of a line: its mark, what it is about, and how long that ran or has been running."""
    line = Text(f"{mark.symbol} ", style=mark.style, no_wrap=True, overflow="ellipsis")
    line.append(f"{name} ", style="default")
    return line.append("" if seconds is None else f"{seconds:6.1f} s  ", style="dim")


def progress_parts(ended: int, total: int, what: str, seconds_left: float) -> Iterator[str]:
    """How much has ended, and about how long the rest will take; 0: that is not known."""
    yield f"{ended} of {total} {what}"
    if seconds_left > 0:
        yield f"about {duration_text(seconds_left)} left"
