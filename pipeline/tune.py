"""tune: search for better values of one experiment's settings, and tell what was found."""

from collections.abc import Sequence
from pathlib import Path

import typer

from modelyard import params
from modelyard.core.errors import ModelyardError, exit_on_error
from modelyard.orchestration.scheduler import SUCCEEDED, Pipeline
from modelyard.params.study import inputs_of


def main(study: str, folder: Path) -> None:
    from modelyard.tuning import mlflow_log, rebuild, report

    project = params.load()
    entry = project.studies[study]
    bring(inputs_of(entry, project.all_experiments[entry.experiment].input))
    found = rebuild.rebuild(project, study, Path.cwd(), tell)
    report.write(found, folder)
    mlflow_log.write(found, folder)


def bring(inputs: Sequence[str]) -> None:
    """Bring the inputs that a study chooses among up to date: dvc.yaml knows no list of deps that differs by entry."""
    pipeline = Pipeline(Path.cwd(), [f"normalise@{name}" for name in inputs])
    pipeline.run(1, lambda stages: None)
    for stage in pipeline.stages.values():
        if stage.state not in SUCCEEDED:
            raise ModelyardError(f"{stage.name} {stage.state}, and no trial was run: see {stage.log}")


def tell(_: Sequence, ended: Sequence) -> None:
    for trial in ended:
        typer.echo(f"trial {trial.number} {trial.state.lower()} {trial.score or trial.reason}")


if __name__ == "__main__":
    with exit_on_error():
        typer.run(main)
