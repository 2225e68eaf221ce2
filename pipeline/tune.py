"""Search for better values of one experiment's settings and write the report of the study."""

from collections.abc import Sequence
from pathlib import Path

import typer

from modelyard import params
from modelyard.core.errors import ModelyardError, exit_on_error
from modelyard.orchestration.scheduler import SUCCEEDED, Pipeline
from modelyard.params.study import inputs_of


def main(study: str, folder: Path) -> None:
    from modelyard.tuning import mlflow_log, report, search

    project = params.load()
    entry = project.studies[study]
    prepare_inputs(inputs_of(entry, project.experiments[entry.experiment].input))
    searched = search.rebuild_study(project, study, Path.cwd(), print_trials)
    report.write(searched, folder)
    mlflow_log.write(searched, folder)


def prepare_inputs(inputs: Sequence[str]) -> None:
    """Run normalise for every input that the study may choose: deps in dvc.yaml cannot differ by study."""
    pipeline = Pipeline(Path.cwd(), [f"normalise@{name}" for name in inputs])
    pipeline.run(1, lambda _: None)
    for stage in pipeline.stages.values():
        if stage.state not in SUCCEEDED:
            raise ModelyardError(f"{stage.name} {stage.state}, so no trial was run: see {stage.log}")


def print_trials(_: Sequence[object], finished: Sequence) -> None:
    for trial in finished:
        typer.echo(f"trial {trial.number} {trial.state.lower()} {trial.reason or trial.score}")


if __name__ == "__main__":
    with exit_on_error():
        typer.run(main)
