"""Text for reports: Markdown tables, places for results in a page, durations, and texts of a limited length."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from modelyard.core.errors import ModelyardError
from modelyard.core.files import read_text, write_text

UNESCAPED_BAR = re.compile(r"(?<!\\)\|")
CODE = re.compile(r"(`[\w./ -]+`)")  # nothing that would be markup if the backticks did not make it code
MARKUP = re.compile(r"[\\`*<>|~$]|\](?=[(\[])|&(?=#?\w+;)|(?<!\w)_|_(?!\w)")
START, END = "<!-- results -->", "<!-- end -->"


def markdown_table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; line ends and bars in a cell do not end it."""
    rows = ([UNESCAPED_BAR.sub(r"\\|", " ".join(cell.split())) for cell in cells] for cells in (header, *lines))
    first, *others = (f"| {' | '.join(cells)} |" for cells in rows)
    return "\n".join([first, f"| {' | '.join(['---'] * len(header))} |", *others])


def without_markup(text: str) -> str:
    """A text in Markdown that shows names from data as they are; of its own it may have words in backticks."""
    parts = CODE.split(text)
    return "".join(part if position % 2 else MARKUP.sub(r"\\\g<0>", part) for position, part in enumerate(parts))


def fill(page: Path, content: str, start: str = START, end: str = END) -> None:
    """Replace the text between the markers of a Markdown file, which are lines of their own.

    Raises:
        ModelyardError: it has no markers.
    """
    between = re.compile(rf"(?ms)^({start})[ \t]*\n(?:.*?\n)??({end})[ \t]*$")
    text, count = between.subn(lambda found: f"{found[1]}\n{content}\n{found[2]}", read_text(page))
    if not count:
        raise ModelyardError(f"{page} has no place for the results: write a line {start} and, below it, a line {end}")
    write_text(page, text)


def duration_text(seconds: float) -> str:
    """A duration for people: `4.2 s`, `3 min 5 s`, `2 h 10 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def shortened(text: str, length: int) -> str:
    """A text in Markdown with at most so many characters: as many of its first paragraphs as fit."""
    if len(text) <= length:
        return text
    return text[: length - 3].rpartition("\n\n")[0] + "\n\n…"


def setting_text(value: Any) -> str:
    """A value as params.yaml would have it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(setting_text, value))}]"
    return "not set" if value is None else str(value)
