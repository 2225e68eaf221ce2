"""Terminal output of pipeline stages: one line per finished stage, live lines for running ones, and the plan."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager

from rich.console import Console
from rich.text import Text

from modelyard.core.work_display import DONE, FAILED, RUNNING, Mark, WorkDisplay, progress_parts, work_line
from modelyard.data.download import FileSet
from modelyard.data.sources import dvc_remedy
from modelyard.orchestration.scheduler import PENDING, Pipeline, Stage, StageState

MARKS = {
    StageState.BUILT: DONE,
    StageState.FAILED: FAILED,
    StageState.SKIPPED: Mark("-", "yellow"),
    StageState.STOPPED: Mark("■", "yellow"),
    StageState.RUNNING: RUNNING,
    StageState.WAITING: Mark("…", "yellow"),
    StageState.UNCHANGED: Mark("=", "dim"),
}
"""The mark of each state; a stage may become unchanged while its line is made, in another thread."""
WHAT_TO_DO = (
    "What to do: connect to the network and run again, or name a mirror, a folder or URL that has the files, in "
    "MODELYARD_MIRROR. `modelyard run -v` lists every address that was tried, and how to get each data set."
)


def checking_status(console: Console) -> AbstractContextManager[object]:
    """Show a spinner on a terminal while DVC compares all files with dvc.lock."""
    return console.status("Checking what has changed ...", spinner_style="dim")


class StageDisplay(WorkDisplay):
    """Shows the stages of a pipeline while they run; in a log file also when they start."""

    def __init__(self, console: Console, pipeline: Pipeline) -> None:
        super().__init__(console)
        self._stages = pipeline.stages
        self._width = max((len(name) for name in self._stages), default=0)
        self._printed: set[tuple[str, StageState]] = set()

    def show(self, stages: Mapping[str, Stage]) -> None:
        """Print stages that have ended since the last call, and outside a terminal those that have started."""
        for stage in stages.values():
            if stage.state not in PENDING | {StageState.UNCHANGED} or (
                not self._console.is_terminal and _is_shown_live(stage)
            ):
                self._print_once(stage)

    def _print_once(self, stage: Stage) -> None:
        if (stage.name, stage.state) not in self._printed:
            self._printed.add((stage.name, stage.state))
            self.print(self._line(stage))

    def _running_lines(self) -> Iterator[Text]:
        return (self._line(stage) for stage in self._stages.values() if _is_shown_live(stage))

    def _summary(self) -> Iterator[str]:
        left = [stage for stage in self._stages.values() if stage.state in PENDING]
        running = sum(stage.state is StageState.RUNNING for stage in left)
        seconds = sum(max(0.0, stage.last_seconds - stage.seconds) for stage in left) / max(1, running)
        return progress_parts(len(self._stages) - len(left), len(self._stages), "stages", seconds)

    def _line(self, stage: Stage) -> Text:
        line = work_line(MARKS[stage.state], f"{stage.name:{self._width}}", stage.seconds)
        has_reason = stage.state is StageState.SKIPPED or _is_blocked(stage)
        remark = stage.reason.splitlines()[0] if has_reason else next(iter(stage.last_lines(1)), "")
        return line.append(remark, style="dim")


def _is_shown_live(stage: Stage) -> bool:
    return stage.state is StageState.RUNNING or _is_blocked(stage)


def _is_blocked(stage: Stage) -> bool:
    """Whether a stage could run if another process, which its reason names, had ended."""
    return stage.state is StageState.WAITING and bool(stage.reason)


def missing_own_files(name: str, files: FileSet, missing: Iterable[str]) -> str:
    """Return what to do where files of a data set that are not here are all the user's own, "" if they are not."""
    paths = [files.sources[each].path or "" for each in missing]
    if not all(paths):
        return ""
    kept = dict.fromkeys(filter(None, (dvc_remedy(files.root / path, files.root) for path in paths)))
    advice = "; ".join(kept) or f"put it there, or correct the `path` of {name} in params.yaml"
    return f"{', '.join(paths)} is not here: {advice}"


def print_unavailable(console: Console, unavailable: Mapping[str, str], verbose: bool) -> None:
    """Print the stages whose data is out of reach: a line for each and what to do, or all addresses tried.

    Args:
        console: where to print.
        unavailable: the message of each stage; its first line names the files.
        verbose: whether to print the whole messages.
    """
    for name, message in unavailable.items():
        text = f"{message}\n" if verbose else message.splitlines()[0]
        console.print(Text.assemble((f"{name} cannot run. ", "yellow"), text), soft_wrap=True)  # addresses to be copied
    if not verbose and any("\n" in message for message in unavailable.values()):  # a single line says what to do
        console.print(WHAT_TO_DO, highlight=False, soft_wrap=True)


def print_plan(console: Console, stages: Mapping[str, Stage], unavailable: Mapping[str, str], verbose: bool) -> None:
    """Print what would run, why, and how long it took last time; then what is out of reach.

    A line for each stage has its first reason; `verbose` gives each reason a line.
    """
    to_run = [stage for stage in stages.values() if stage.state is StageState.WAITING]
    for stage in to_run:
        duration = f"{stage.last_seconds:.0f} s last time" if stage.last_seconds else "never built here"
        line = Text.assemble((stage.name, "bold"), "  ", (duration, "dim"))
        if verbose:
            line.append("".join(f"\n    {change}" for change in stage.changes))
        elif stage.changes:
            more = len(stage.changes) - 1
            line.append(f"  {stage.changes[0]}" + (f" and {more} more" if more else ""))
        console.print(line, soft_wrap=True)
    print_unavailable(console, unavailable, verbose)
    seconds = sum(stage.last_seconds for stage in to_run)
    work = f", {seconds:.0f} s of work by the times of earlier runs" if seconds else ""
    is_cut = not verbose and any(len(stage.changes) > 1 for stage in to_run)
    hint = " All reasons: modelyard run --dry-run -v" if is_cut else ""
    console.print(f"\n{len(to_run)} of {len(stages)} stages would run{work}.{hint}", highlight=False)
