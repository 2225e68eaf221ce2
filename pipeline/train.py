"""train: fit the model of one experiment to its training samples."""

from pathlib import Path

import typer

from modelyard import params, tracking
from modelyard.core.errors import exit_on_error
from modelyard.experiments.train import train

STATES = Path(".modelyard/training")  # no output: DVC deletes those before a stage runs


def main(experiment: str, training: Path, model: Path, history: Path, backbone: Path | None = None) -> None:
    project = params.load()
    state = STATES / f"{experiment}.npz"
    with tracking.training_run(experiment) as run:
        train(project.all_experiments[experiment], project.runtime, training, model, history, run, backbone, state)


if __name__ == "__main__":
    with exit_on_error():
        typer.run(main)
