"""batch: predict the files of one entry of `batches` with the model of its experiment."""

from pathlib import Path

import typer

from modelyard import models, params
from modelyard.core.errors import exit_on_error
from modelyard.serving.batch_prediction import predict_files


def main(name: str, model: Path, data: Path, output: Path) -> None:
    project = params.load()
    broken = project.batches[name].broken
    count, lines = predict_files(models.load(model, project.runtime), data, output, broken)
    for line in lines:
        typer.echo(line)
    typer.echo(f"{count} samples predicted")


if __name__ == "__main__":
    with exit_on_error():
        typer.run(main)
