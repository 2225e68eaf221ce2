"""The reports of Optuna studies, as parts of the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from markupsafe import Markup

from modelyard.core.files import read_text
from modelyard.reporting.inline_images import InlineImage
from modelyard.reporting.project_files import ProjectFiles

if TYPE_CHECKING:
    from markdown_it.token import Token

FOLDER = "reports/tuning"
HEADING_OFFSET = 2  # the title of a study becomes a heading of the third level


@dataclass(frozen=True)
class StudySection:
    """A study: its report as HTML that loads nothing, and its plots."""

    name: str
    report: Markup
    plots: tuple[InlineImage, ...]


def study_sections(files: ProjectFiles) -> list[StudySection]:
    """Every study that has a report."""
    reports = sorted((files.root / FOLDER).glob("*/report.md"))
    return [
        StudySection(report.parent.name, _html(text), files.images(report.parent))
        for report in reports
        if (text := files.attempt(str(report), partial(read_text, report), ""))
    ]


def _html(markdown: str) -> Markup:
    """Markdown as HTML, without images and links; HTML in it is escaped."""
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["image", "link", "autolink"])
    tokens = reader.parse("\n".join(line for line in markdown.splitlines() if not line.startswith("![")))
    _lower_headings(tokens)
    return Markup(reader.renderer.render(tokens, reader.options, {}))  # noqa: S704 (the reader escapes HTML)


def _lower_headings(tokens: "Sequence[Token]") -> None:
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + HEADING_OFFSET)}"
