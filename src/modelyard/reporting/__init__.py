"""The report: what was built, from what, how good it is, and what changed; made from files, for people."""

from pathlib import Path

from modelyard.core.files import write_text
from modelyard.reporting.contents import Contents, gather
from modelyard.reporting.markdown import twin
from modelyard.reporting.page import page


def write(root: Path, target: Path, against: str | None = None) -> Contents:
    """Write the page `target`, and beside it report.md, its short twin for pull requests; returns what they tell.

    Args:
        root: the project's folder.
        target: the HTML file.
        against: a commit to compare with.

    Raises:
        ModelyardError: params.yaml or another file is broken, or there is no such commit.
    """
    contents = gather(root, against)
    write_text(target, page(contents))
    write_text(target.with_name("report.md"), twin(contents))
    return contents
