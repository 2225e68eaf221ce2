"""Live lines: each finished stage leaves one, each running stage has one, and the last tells how far all is."""

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
}


def looking(console: Console) -> AbstractContextManager[object]:
    """Show on a terminal that something goes on while DVC compares all files with what it locked."""
    return console.status("Looking for what has changed ...", spinner_style="dim")


class Display:
    """Shows a pipeline's stages while they run; on what is no terminal, only beginnings and ends."""

    def __init__(self, console: Console, pipeline: Pipeline) -> None:
        self._console = console
        self._width = max((len(name) for name in pipeline.stages), default=0)
        self._told: set[str] = set()
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> "Display":
        self._live.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._live.stop()

    def show(self, stages: Mapping[str, Stage]) -> None:
        """Bring the lines up to date."""
        for stage in stages.values():
            if (
                stage.state not in (StageState.WAITING, StageState.RUNNING, StageState.UNCHANGED)
                and stage.name not in self._told
            ):
                self._told.add(stage.name)
                self._console.print(self._line(stage), soft_wrap=True)
        running = [stage for stage in stages.values() if stage.state is StageState.RUNNING]
        if not self._console.is_terminal:
            self._tell_beginnings(running)
            return
        ended = sum(stage.state not in (StageState.WAITING, StageState.RUNNING) for stage in stages.values())
        summary = Text(f"{ended} of {len(stages)} stages", style="dim")
        self._live.update(Group(*(self._line(stage) for stage in running), summary), refresh=True)

    def _tell_beginnings(self, running: list[Stage]) -> None:
        for stage in running:
            if f"{stage.name} began" not in self._told:
                self._told.add(f"{stage.name} began")
                self._console.print(self._line(stage), soft_wrap=True)

    def _line(self, stage: Stage) -> Text:
        mark, style = MARKS[stage.state]
        line = Text(f"{mark} ", style=style, no_wrap=True, overflow="ellipsis")
        line.append(f"{stage.name:{self._width}} ", style="default")
        line.append(f"{stage.seconds:6.1f} s  ", style="dim")
        line.append(self._said(stage), style="dim")
        return line

    def _said(self, stage: Stage) -> str:
        if stage.state is StageState.SKIPPED:
            return stage.reason.splitlines()[0]
        return next(iter(stage.last_lines(1)), "")


def tell_plan(console: Console, stages: Mapping[str, Stage]) -> None:
    """What would run, why, and how long it took last time."""
    to_run = [stage for stage in stages.values() if stage.state is StageState.WAITING]
    skipped = [stage for stage in stages.values() if stage.state is StageState.SKIPPED]
    for stage in to_run:
        took = f"{stage.last_seconds:.0f} s last time" if stage.last_seconds else "never built here"
        console.print(f"[bold]{stage.name}[/]  [dim]{took}[/]", highlight=False)
        for change in stage.changes:
            console.print(Text(f"    {change}"), soft_wrap=True)
    for stage in skipped:
        told = Text.assemble((f"{stage.name} cannot run. ", "yellow"), stage.reason)
        console.print(told, soft_wrap=True)  # addresses to be copied
    seconds = sum(stage.last_seconds for stage in to_run)
    known = f", {seconds:.0f} s of work by the times of earlier runs" if seconds else ""
    console.print(f"\n{len(to_run)} of {len(stages)} stages would run{known}.", highlight=False)
