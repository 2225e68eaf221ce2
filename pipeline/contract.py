"""contract: describe what the training samples of an input are like, for checks of new samples."""

from pathlib import Path

import typer

from modelyard.core.errors import exit_on_error
from modelyard.core.files import atomic_folder
from modelyard.data import contract, inputs


def main(training: Path, folder: Path) -> None:
    data = inputs.load_training(training)
    found = contract.describe_training(data.samples.x, data.description)
    with atomic_folder(folder) as temporary:
        found.save(temporary)
    typer.echo(f"{found.rows} training samples, {len(found.features)} features")


if __name__ == "__main__":
    with exit_on_error():
        typer.run(main)
