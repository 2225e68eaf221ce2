"""`modelyard runs`: add missing MLflow runs, and print how to reproduce a run."""

import sys
from collections.abc import Collection
from pathlib import Path

from rich.console import Console

from modelyard import params
from modelyard.core.errors import ModelyardError
from modelyard.orchestration.scheduler import Pipeline, StageState
from modelyard.params.project import Project
from modelyard.params.results import evaluate_stage
from modelyard.tracking import is_enabled, mask_password


def backfill() -> None:
    """Add the missing runs of every experiment that is up to date, and print what was added.

    Raises:
        ModelyardError: tracking is off, or params.yaml is wrong.
    """
    if not is_enabled():
        raise ModelyardError("MODELYARD_TRACKING is off: there are no runs to backfill. Unset it and try again.")
    console, project = Console(), params.load()
    names = _up_to_date(project)
    if not _backfill(console, project, names, again=True, end_dead=True):
        console.print(
            f"Nothing to backfill: MLflow has the runs of all {len(names)} experiments that are up to date.",
            highlight=False,
            soft_wrap=True,
        )


def backfill_after_rebuild(console: Console, project: Project, names: Collection[str], end_dead: bool) -> None:
    """Add the missing runs of experiments that were just rebuilt; a failure is printed as a warning.

    `end_dead` is whether to mark as failed the runs whose process is gone.
    """
    if not is_enabled():
        return
    try:
        _backfill(console, project, names, again=False, end_dead=end_dead)
    except Exception as error:  # whatever MLflow, its database or its server may raise
        reason = mask_password(f"{type(error).__name__}: {error}")
        print(  # noqa: T201
            f"warning: not all runs were added to MLflow: {reason}. Add them later: modelyard runs backfill",
            file=sys.stderr,
        )


def explain(run: str) -> None:
    """Print the commit, data and commands that reproduce a run, given by its ID or its experiment (the latest run).

    Raises:
        ModelyardError: there is no such run.
    """
    from modelyard.tracking import provenance, queries

    record = next(iter(queries.runs_of(run)), None) if run.isidentifier() else None
    print(provenance.explain(record or queries.get_run(run), Path.cwd()))  # noqa: T201


def _backfill(console: Console, project: Project, names: Collection[str], again: bool, end_dead: bool) -> bool:
    """Add missing runs, mark dead ones as failed, print both; returns whether anything changed."""
    from modelyard.tracking.backfill import backfill
    from modelyard.tracking.queries import fail_dead_runs

    added = backfill(project, names, again)
    for name, change in added.items():
        if again or change != "completed":  # after a rebuild most are completed
            console.print(f"{name}: {change}", highlight=False)
    dead = fail_dead_runs() if end_dead or added else []
    for name in dead:
        console.print(f"{name}: marked as failed, its process is gone", highlight=False)
    return bool(added or dead)


def _up_to_date(project: Project) -> list[str]:
    """The experiments whose stages DVC finds up to date, in the order of params.yaml."""
    evaluations = {name: evaluate_stage(project.section_of(name), name) for name in project.all_experiments}
    pipeline = Pipeline(Path.cwd(), list(evaluations.values()))
    pipeline.find_unchanged()
    return [name for name, stage in evaluations.items() if pipeline.stages[stage].state is StageState.UNCHANGED]
