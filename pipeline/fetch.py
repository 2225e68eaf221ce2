"""fetch: bring the raw files of one data set into a folder, each verified."""

from pathlib import Path

import typer

from modelyard import params
from modelyard.core.errors import exit_on_error
from modelyard.tracking import project_root


def main(dataset: str, raw: Path) -> None:
    project = params.load()
    for name, origin in project.files_of(dataset, project_root()).fetch(raw).items():
        typer.echo(f"{name}: {origin}")


if __name__ == "__main__":
    with exit_on_error():
        typer.run(main)
