"""Text for reports: Markdown tables, durations, and texts of a limited length."""

from collections.abc import Iterable, Sequence
from typing import Any


def markdown_table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; the cells must not contain an unescaped `|`."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *lines))


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
