"""tune: search for better values of one experiment's settings, and tell what was found."""

from collections.abc import Sequence
from pathlib import Path

import typer
from rich.console import Console

from modelyard import settings
from modelyard.cli.tune import bring_up_to_date
from modelyard.errors import explained
from modelyard.studies import inputs_of


def main(study: str, folder: Path) -> None:
    from modelyard.tuning import diary, rebuild, report

    project = settings.load()
    entry = project.studies[study]
    names = inputs_of(entry, project.runs[entry.experiment].input)
    bring_up_to_date(Console(), [f"normalise@{name}" for name in names])  # dvc.yaml cannot list them
    found = rebuild.rebuild(project, study, Path.cwd(), tell)
    report.write(found, folder)
    diary.write(found, folder)


def tell(_: Sequence, ended: Sequence) -> None:
    for trial in ended:
        typer.echo(f"trial {trial.number} {trial.state.lower()} {trial.score or trial.reason}")


if __name__ == "__main__":
    with explained():
        typer.run(main)
