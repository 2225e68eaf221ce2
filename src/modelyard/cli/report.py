"""`modelyard report`: one HTML page with all results, and a Markdown summary for pull requests."""

from pathlib import Path

from rich.console import Console

from modelyard import reporting


def report(target: Path, against: str | None) -> None:
    """Write the report of the current folder, and print where it is, its size, and what is missing.

    Raises:
        ModelyardError: params.yaml or a result file is invalid, or there is no such commit.
    """
    console = Console()
    contents = reporting.write(Path.cwd(), target, against)
    megabytes = target.stat().st_size / 1e6
    console.print(
        f"{target} ({megabytes:.1f} MB): {len(contents.built)} of {len(contents.experiments)} experiments. It needs no "
        f"other file. Markdown summary for a pull request: {target.with_name('report.md')}.",
        highlight=False,
        soft_wrap=True,
    )
    if contents.missing:
        console.print(f"{len(contents.missing)} results are missing; the end of the page lists them.", highlight=False)
