"""train: fit the model of one experiment to its training rows."""

from pathlib import Path

import typer

from modelyard import settings, tracking
from modelyard.errors import explained
from modelyard.training import train


def main(experiment: str, training: Path, model: Path, history: Path, backbone: Path | None = None) -> None:
    project = settings.load()
    with tracking.training_run(experiment) as run:
        train(project.runs[experiment], project.runtime, training, model, history, run, backbone)


if __name__ == "__main__":
    with explained():
        typer.run(main)
