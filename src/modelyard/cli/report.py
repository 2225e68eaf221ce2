"""`modelyard report`: one page for people, and its twin for pull requests."""

from pathlib import Path

from rich.console import Console

from modelyard import reporting


def report(target: Path, against: str | None) -> None:
    """Write the report of this folder and tell where it is, how large, and what it could not tell.

    Raises:
        ModelyardError: params.yaml or another file is broken, or there is no such commit.
    """
    console = Console()
    contents = reporting.write(Path.cwd(), target, against)
    megabytes = target.stat().st_size / 1e6
    console.print(
        f"{target} ({megabytes:.1f} MB): {len(contents.built)} of {len(contents.experiments)} experiments. It needs no "
        f"other file. For a pull request: {target.with_name('report.md')}.",
        highlight=False,
        soft_wrap=True,
    )
    if contents.missing:
        console.print(f"{len(contents.missing)} missing; the page's last part names them.", highlight=False)
