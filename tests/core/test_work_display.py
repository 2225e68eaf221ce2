"""Lines of work that runs in parallel."""

import time
from collections.abc import Iterator
from io import StringIO

from rich.console import Console
from rich.text import Text

from modelyard.core.work_display import DONE, RUNNING, WorkDisplay, progress_parts, work_line


class Shown(WorkDisplay):
    """Shows one piece of work."""

    def _running_lines(self) -> Iterator[Text]:
        yield work_line(RUNNING, "it", 1.0)

    def _summary(self) -> Iterator[str]:
        return progress_parts(1, 2, "pieces", 90.0)


def console(terminal: bool) -> Console:
    return Console(file=StringIO(), width=60, force_terminal=terminal, color_system=None)


def output(console: Console) -> str:
    return console.file.getvalue()


def test_on_a_terminal_what_runs_is_shown_while_nothing_happens() -> None:
    with Shown(screen := console(terminal=True)):
        until = time.monotonic() + 10
        while "… it" not in output(screen) and time.monotonic() < until:
            time.sleep(0.01)
    assert "… it    1.0 s" in output(screen)
    assert "1 of 2 pieces, about 1 min 30 s left" in output(screen)


def test_in_a_file_there_are_only_the_lines_that_stay() -> None:
    with Shown(log := console(terminal=False)) as display:
        display.print(work_line(DONE, "it", 2.0))
    assert output(log).rstrip() == "✓ it    2.0 s"


def test_a_line_is_not_wrapped() -> None:
    log = console(terminal=False)
    Shown(log).print(work_line(DONE, "it").append("x" * 100))
    assert len(output(log).splitlines()) == 1


def test_time_that_is_not_known_is_not_shown() -> None:
    assert list(progress_parts(0, 2, "pieces", 0.0)) == ["0 of 2 pieces"]
