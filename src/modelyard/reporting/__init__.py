"""The report: one HTML page and a Markdown summary of all results, made from the project's files alone."""

from pathlib import Path

from modelyard.core.files import write_text
from modelyard.reporting.contents import ReportContents, gather
from modelyard.reporting.markdown import markdown_summary
from modelyard.reporting.page import html_page


def write(root: Path, target: Path, against: str | None = None) -> ReportContents:
    """Write the HTML report, and beside it report.md, a short summary for pull requests.

    Args:
        root: the project's folder.
        target: the HTML file.
        against: a commit to compare with.

    Returns:
        What both files show.

    Raises:
        ModelyardError: params.yaml or another file is invalid, or there is no such commit.
    """
    contents = gather(root, against)
    write_text(target, html_page(contents))
    write_text(target.with_name("report.md"), markdown_summary(contents))
    return contents
