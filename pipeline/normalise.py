"""normalise: divide a data set, fit the scaling on its training samples, describe the result."""

from pathlib import Path

import typer

from modelyard import params
from modelyard.core.errors import exit_on_error
from modelyard.core.files import write_json
from modelyard.data import readers
from modelyard.data.inputs import write_input
from modelyard.data.splits import check_targets, count_leaks
from modelyard.experiments import data_card


def main(name: str, raw: Path, training: Path, test: Path, card: Path) -> None:
    project = params.load()
    settings = project.inputs[name]
    dataset = project.datasets[settings.dataset]
    read = readers.read(dataset, raw)
    data, test_samples = write_input(read, dataset.task, settings, training, test)
    check_targets(data.training, test_samples, dataset.task, data.description.classes)
    leaks = count_leaks(settings.split, read.keys, read.test_keys)
    described = data_card.describe(data, test_samples, leaks, read.left_out)
    write_json(card, described)
    for column, kind in described.get("columns", {}).items():
        typer.echo(f"{column}: {kind}")
    for warning in data_card.warnings(described):
        typer.echo(f"warning: {warning}")
    typer.echo(f"{len(data.training)} training, {len(data.validation)} validation, {len(test_samples)} test samples")


if __name__ == "__main__":
    with exit_on_error():
        typer.run(main)
