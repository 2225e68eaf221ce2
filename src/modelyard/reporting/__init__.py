"""The report: one HTML page, a Markdown summary and a card of each model, made from the project's files alone."""

from pathlib import Path

from modelyard.core.errors import ModelyardError
from modelyard.core.files import write_text
from modelyard.reporting.contents import ReportContents, gather
from modelyard.reporting.markdown import markdown_summary
from modelyard.reporting.model_cards import write_cards
from modelyard.reporting.page import html_page


def write(root: Path, target: Path, against: str | None = None) -> ReportContents:
    """Write the HTML report, beside it a short summary for pull requests, and the cards of the models.

    Args:
        root: the project's folder.
        target: the HTML file.
        against: a commit to compare with.

    Returns:
        What the first two show.

    Raises:
        ModelyardError: the file is not named as HTML is, params.yaml or another file is invalid, or there is no such
            commit.
    """
    if target.suffix != ".html":
        raise ModelyardError(f"{target}: the report is HTML; give a file whose name ends with .html")
    contents = gather(root, against)
    write_text(target, html_page(contents))
    write_text(summary_of(target), markdown_summary(contents))
    write_cards(root, contents.project, contents.model_cards)
    return contents


def summary_of(target: Path) -> Path:
    """The Markdown summary of an HTML report: report.md of index.html, else of the same name."""
    return target.with_name("report.md") if target.stem == "index" else target.with_suffix(".md")
