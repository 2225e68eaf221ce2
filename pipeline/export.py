"""export: convert one experiment's model to ONNX, and check its answers on validation samples."""

from pathlib import Path

import typer

from modelyard import params
from modelyard.core.errors import exit_on_error
from modelyard.serving.conversion import convert_experiment


def main(training: Path, model: Path, target: Path) -> None:
    typer.echo(convert_experiment(model, training, target, params.load().runtime))


if __name__ == "__main__":
    with exit_on_error():
        typer.run(main)
