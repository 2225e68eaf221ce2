"""normalise: divide a data set, fit the scaling on its training rows, describe the result."""

from pathlib import Path

import typer

from modelyard import params
from modelyard.core.errors import explained
from modelyard.core.files import write_json
from modelyard.data import inputs, readers
from modelyard.experiments import data_card


def main(name: str, raw: Path, training: Path, test: Path, card: Path) -> None:
    project = params.load()
    entry = project.inputs[name]
    dataset = project.datasets[entry.dataset]
    data = readers.read(dataset, raw)
    for_training, for_test = inputs.prepare(data, dataset.task, entry)
    inputs.save_training(for_training, training)
    inputs.save_test(inputs.as_evaluated(for_test, for_training.description), test)
    write_json(card, data_card.describe(for_training, for_test))
    typer.echo(
        f"{len(for_training.training)} training, {len(for_training.validation)} validation, {len(for_test)} test rows"
    )


if __name__ == "__main__":
    with explained():
        typer.run(main)
