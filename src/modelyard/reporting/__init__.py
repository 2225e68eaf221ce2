"""The report: one HTML page, a Markdown summary and a card of each model, made from the project's files alone."""

from pathlib import Path

from modelyard.core.files import write_text
from modelyard.reporting.contents import ReportContents, gather
from modelyard.reporting.markdown import markdown_summary
from modelyard.reporting.model_cards import write_cards
from modelyard.reporting.page import html_page


def write(root: Path, target: Path, against: str | None = None) -> ReportContents:
    """Write the HTML report, beside it report.md, a short summary for pull requests, and the cards of the models.

    Args:
        root: the project's folder.
        target: the HTML file.
        against: a commit to compare with.

    Returns:
        What the first two show.

    Raises:
        ModelyardError: params.yaml or another file is invalid, or there is no such commit.
    """
    contents = gather(root, against)
    write_text(target, html_page(contents))
    write_text(target.with_name("report.md"), markdown_summary(contents))
    write_cards(root, contents.project, contents.model_cards)
    return contents
