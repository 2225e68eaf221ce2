"""evaluate: ask one experiment's model for the test rows, and say what its answers are worth."""

from pathlib import Path

import pandas as pd
import typer

from modelyard import models, tracking
from modelyard.core.errors import explained
from modelyard.core.files import whole_folder, write_json, write_table
from modelyard.data import inputs
from modelyard.experiments import evaluate, plots


def main(experiment: str, training: Path, test: Path, model: Path, history: Path, results: Path) -> None:
    fitted = models.load(model)
    found = evaluate.evaluate(fitted, test)
    pictures = evaluate.draw(found, inputs.load_training(training), pd.read_csv(history))
    with whole_folder(results / "figures") as folder:
        for name, picture in pictures.items():
            plots.save(picture, folder / name)
    write_table(results / "predictions.csv", found.predictions)
    write_json(results / "details.json", found.details)
    write_json(results / "metrics.json", found.metrics)
    with tracking.evaluation_run(experiment) as run:
        run.log_evaluation(found.metrics, found.details, results / "figures")
    typer.echo("  ".join(f"{name} {value:.4g}" for name, value in found.metrics.items()))


if __name__ == "__main__":
    with explained():
        typer.run(main)
