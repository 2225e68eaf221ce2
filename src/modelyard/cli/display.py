"""Terminal output of pipeline stages: one line per finished stage, live lines for running ones, and the plan."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from modelyard.orchestration.scheduler import Pipeline, Stage, StageState

MARKS = {
    StageState.BUILT: ("✓", "green"),
    StageState.FAILED: ("✗", "bold red"),
    StageState.SKIPPED: ("-", "yellow"),
    StageState.STOPPED: ("■", "yellow"),
    StageState.RUNNING: ("…", "cyan"),
    StageState.WAITING: ("…", "yellow"),
    StageState.UNCHANGED: ("=", "dim"),
}
"""The symbol and style of each state; a stage may become unchanged while its line is made, in another thread."""
WHAT_TO_DO = (
    "What to do: connect to the network and run again, or name a mirror that has the files in MODELYARD_MIRROR (see "
    "Data sets in the README). `modelyard run -v` lists every address that was tried, and how to get each data set."
)


def checking_status(console: Console) -> AbstractContextManager[object]:
    """Show a spinner on a terminal while DVC compares all files with dvc.lock."""
    return console.status("Checking what has changed ...", spinner_style="dim")


class StageDisplay:
    """Shows the stages of a pipeline while they run: live on a terminal, as starts and ends in a log file."""

    def __init__(self, console: Console, pipeline: Pipeline) -> None:
        self._console = console
        self._width = max((len(name) for name in pipeline.stages), default=0)
        self._printed: set[tuple[str, StageState]] = set()
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> "StageDisplay":
        self._live.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._live.stop()

    def show(self, stages: Mapping[str, Stage]) -> None:
        """Print stages that have ended since the last call, and update the live lines."""
        running = [stage for stage in stages.values() if stage.state is StageState.RUNNING or _is_blocked(stage)]
        for stage in stages.values():
            if stage.state not in (StageState.WAITING, StageState.RUNNING, StageState.UNCHANGED):
                self._print_once(stage)
        if self._console.is_terminal:
            ended = sum(stage.state not in (StageState.WAITING, StageState.RUNNING) for stage in stages.values())
            summary = Text(f"{ended} of {len(stages)} stages", style="dim")
            self._live.update(Group(*(self._line(stage) for stage in running), summary), refresh=True)
        else:
            for stage in running:
                self._print_once(stage)

    def _print_once(self, stage: Stage) -> None:
        if (stage.name, stage.state) not in self._printed:
            self._printed.add((stage.name, stage.state))
            self._console.print(self._line(stage), soft_wrap=True)

    def _line(self, stage: Stage) -> Text:
        mark, style = MARKS[stage.state]
        line = Text(f"{mark} ", style=style, no_wrap=True, overflow="ellipsis")
        line.append(f"{stage.name:{self._width}} ", style="default")
        line.append(f"{stage.seconds:6.1f} s  ", style="dim")
        has_reason = stage.state is StageState.SKIPPED or _is_blocked(stage)
        remark = stage.reason.splitlines()[0] if has_reason else next(iter(stage.last_lines(1)), "")
        return line.append(remark, style="dim")


def _is_blocked(stage: Stage) -> bool:
    """Whether a stage could run if another process, which its reason names, had ended."""
    return stage.state is StageState.WAITING and bool(stage.reason)


def print_unavailable(console: Console, unavailable: Mapping[str, str], verbose: bool) -> None:
    """Print the fetch stages whose data is out of reach: a line for each and what to do, or all addresses tried.

    Args:
        console: where to print.
        unavailable: the message of each stage; its first line names the files.
        verbose: whether to print the whole messages.
    """
    for name, message in unavailable.items():
        text = f"{message}\n" if verbose else message.splitlines()[0]
        console.print(Text.assemble((f"{name} cannot run. ", "yellow"), text), soft_wrap=True)  # addresses to be copied
    if unavailable and not verbose:
        console.print(WHAT_TO_DO, highlight=False, soft_wrap=True)


def print_plan(console: Console, stages: Mapping[str, Stage], unavailable: Mapping[str, str], verbose: bool) -> None:
    """Print what would run, why, and how long it took last time; then what is out of reach."""
    to_run = [stage for stage in stages.values() if stage.state is StageState.WAITING]
    for stage in to_run:
        duration = f"{stage.last_seconds:.0f} s last time" if stage.last_seconds else "never built here"
        console.print(f"[bold]{stage.name}[/]  [dim]{duration}[/]", highlight=False)
        for change in stage.changes:
            console.print(Text(f"    {change}"), soft_wrap=True)
    print_unavailable(console, unavailable, verbose)
    seconds = sum(stage.last_seconds for stage in to_run)
    work = f", {seconds:.0f} s of work by the times of earlier runs" if seconds else ""
    console.print(f"\n{len(to_run)} of {len(stages)} stages would run{work}.", highlight=False)
