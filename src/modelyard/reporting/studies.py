"""What searches for better settings wrote: each study's own report, as part of the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from modelyard.reporting.inline_images import Picture
from modelyard.reporting.project_files import Folder

if TYPE_CHECKING:
    from markdown_it.token import Token

PLACE = "reports/tuning"
LOWER = 3  # a study's title is a heading of the fourth level in the page


@dataclass(frozen=True)
class Study:
    """A study: its report as HTML, in which nothing is loaded, and the pictures beside it."""

    name: str
    report: Markup
    pictures: tuple[Picture, ...]


def studies(folder: Folder) -> list[Study]:
    """Every study that wrote a report."""
    reports = sorted((folder.root / PLACE).glob("*/report.md"))
    return [
        Study(
            report.parent.name,
            _html(report.read_text(encoding="utf-8")),
            folder.pictures(f"{PLACE}/{report.parent.name}"),
        )
        for report in reports
    ]


def _html(markdown: str) -> Markup:
    """Markdown as HTML: its own HTML is shown as text, pictures and links are left to the page."""
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["image", "link", "autolink"])
    tokens = reader.parse("\n".join(line for line in markdown.splitlines() if not line.startswith("![")))
    return Markup(reader.renderer.render(_lowered(tokens), reader.options, {}))  # noqa: S704 (the reader escapes HTML)


def _lowered(tokens: "Sequence[Token]") -> "Sequence[Token]":
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + LOWER)}"
    return tokens
