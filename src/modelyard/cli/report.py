"""`modelyard report`: one HTML page with all results, and a Markdown summary for pull requests."""

import re
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from modelyard import reporting
from modelyard.core.errors import ModelyardError
from modelyard.core.keys import warn_of_keys
from modelyard.core.report_text import fill
from modelyard.experiments.compare import overview
from modelyard.params.results import results_of
from modelyard.reporting.markdown import overview_table

DATA = re.compile(r"data:[\w/+;-]+,[^\"')]*")  # images, in which anything occurs by chance


def report(target: Path, against: str | None, readme: Path | None) -> None:
    """Write the report of the current folder, and print where it is, its size, and what is missing.

    Raises:
        ModelyardError: `target` is no HTML file, params.yaml or a result file is invalid, there is no such commit, or
            no `readme` or no place in it.
    """
    console = Console()
    if readme and not readme.is_file():
        raise ModelyardError(f"--readme {readme}: there is no such file")
    contents = reporting.write(Path.cwd(), target, against)
    if readme:
        fill(readme, overview_table(overview(contents.compared)))
    cards = [results_of(contents.project, name, Path()).card for name in contents.project.all_experiments]
    files = (target, reporting.summary_of(target))
    for file in (*files, *filter(Path.exists, cards)):
        text = DATA.sub("", file.read_text(encoding="utf-8"))
        if warning := warn_of_keys(text, str(file), "which is made to be published"):
            console.print(warning, markup=False, highlight=False, soft_wrap=True)
    megabytes = target.stat().st_size / 1e6
    page, summary = (escape(str(file)) for file in files)
    console.print(
        f"{page} ({megabytes:.1f} MB): {len(contents.built)} of {len(contents.experiments)} experiments. "
        f"It needs no other file. Markdown summary for a pull request: {summary}. A card of each model: card.md in its "
        "results folder.",
        highlight=False,
        soft_wrap=True,
    )
    if contents.missing:
        console.print(f"Missing results: {len(contents.missing)}, listed at the end of the page.", highlight=False)
