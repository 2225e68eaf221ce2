"""evaluate: measure one experiment's model on its test samples, and plot the predictions."""

from pathlib import Path

import pandas as pd
import typer

from modelyard import models, params, tracking
from modelyard.core.errors import exit_on_error
from modelyard.core.files import atomic_folder, write_json, write_table
from modelyard.data import inputs
from modelyard.experiments import evaluate, fold_evaluation, plots


def main(experiment: str, training: Path, test: Path, model: Path, history: Path, results: Path) -> None:
    project, data = params.load(), inputs.load_training(training)
    evaluation = evaluate.evaluate(models.load(model, project.runtime), test)
    files = evaluate.plot_evaluation(evaluation, data, pd.read_csv(history))
    with atomic_folder(results / "figures") as folder:
        for name, plot in files.items():
            plots.save(plot, folder / name)
    write_table(results / "predictions.csv", evaluation.predictions)
    details = evaluation.details | fold_evaluation.evaluate_folds(
        project.all_experiments[experiment], data, project.runtime
    )
    write_json(results / "details.json", details)
    write_json(results / "metrics.json", evaluation.metrics)
    with tracking.evaluation_run(experiment) as run:
        run.log_evaluation(evaluation.metrics, details, results / "figures")
    typer.echo("  ".join(f"{name} {value:.4g}" for name, value in evaluation.metrics.items()))


if __name__ == "__main__":
    with exit_on_error():
        typer.run(main)
