"""`modelyard runs`: add missing MLflow runs, and print how to reproduce a run."""

import sys
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from modelyard import params
from modelyard.core.errors import ModelyardError
from modelyard.core.git import is_unexpected, why_no_commit
from modelyard.orchestration.scheduler import Pipeline, Stage, StageState
from modelyard.params.project import Project
from modelyard.params.results import evaluate_stage
from modelyard.tracking import is_enabled, reason
from modelyard.tracking.failsafe import NOT_TRACKED


def backfill() -> None:
    """Add the missing runs of every experiment that is up to date, and print what was added.

    Raises:
        ModelyardError: tracking is off or fails, or params.yaml is wrong.
    """
    if not is_enabled():
        raise ModelyardError("MODELYARD_TRACKING is off: there are no runs to backfill. Unset it and try again.")
    console, project = Console(), params.load()
    names = _up_to_date(project)
    changes = _backfill(console, project, names, again=True, end_dead=True)
    if not_added := _not_added(changes):
        raise ModelyardError(f"not added to MLflow: {', '.join(not_added)}. Mend what the warnings say and try again.")
    if not changes:
        console.print(
            f"Nothing to backfill: MLflow has the runs of all {len(names)} experiments that are up to date.",
            highlight=False,
            soft_wrap=True,
        )


def backfill_after_rebuild(console: Console, project: Project, names: Collection[str], end_dead: bool) -> bool:
    """Add the missing runs of experiments that were just rebuilt; a failure is printed as a warning.

    Args:
        console: where changes are printed.
        project: the settings of params.yaml.
        names: the experiments.
        end_dead: whether to mark as failed the runs whose process is gone.

    Returns:
        Whether every experiment has its run.
    """
    try:
        not_added = _not_added(_backfill(console, project, names, again=False, end_dead=end_dead))
        problem = f": {', '.join(not_added)}" if not_added else ""
    except Exception as error:  # whatever MLflow, its database or its server may raise
        problem = f": {reason(error)}"
    if problem:
        print(  # noqa: T201
            f"warning: not all runs were added to MLflow{problem}\nAdd them later: modelyard runs backfill",
            file=sys.stderr,
        )
    return not problem


def print_tracking_failures(stages: Collection[Stage], are_added: bool) -> None:
    """Print which stages were built untracked, from their logs, and what git says where runs name no commit.

    Args:
        stages: the stages that were built.
        are_added: whether their runs were added afterwards.
    """
    failures = {stage.name: line for stage in stages if (line := _failure(stage))}
    if failures:
        later = "Their results were added to MLflow afterwards." if are_added else "Their results are kept."
        first = next(iter(failures.values()))
        print(f"warning: tracking failed in {', '.join(failures)}: {first}\n{later}", file=sys.stderr)  # noqa: T201
    if is_unexpected(why := why_no_commit(Path.cwd())):
        print(f"warning: the runs name no commit: {why}", file=sys.stderr)  # noqa: T201


def explain(run: str) -> None:
    """Print the commit, data and commands that reproduce a run, given by its ID or its experiment (the latest run).

    Raises:
        ModelyardError: there is no such run.
    """
    from modelyard.tracking import provenance, queries

    record = next(iter(queries.runs_of(run)), None) if run.isidentifier() else None
    record = record or queries.get_run(run)
    print(provenance.explain(record, queries.lineage_of(record.id), Path.cwd()))  # noqa: T201


def _failure(stage: Stage) -> str:
    """Why a stage was not tracked, by its log; empty if it was."""
    with suppress(OSError):
        lines = stage.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return next((line.removeprefix(NOT_TRACKED) for line in lines if line.startswith(NOT_TRACKED)), "")
    return ""


def _not_added(changes: Mapping[str, str]) -> list[str]:
    from modelyard.tracking.backfill import NOT_ADDED

    return [name for name, change in changes.items() if change == NOT_ADDED]


def _backfill(
    console: Console, project: Project, names: Collection[str], again: bool, end_dead: bool
) -> Mapping[str, str]:
    """Add missing runs, mark dead ones as failed, and print both.

    Returns:
        What changed, by experiment.
    """
    from modelyard.tracking.backfill import backfill
    from modelyard.tracking.queries import fail_dead_runs

    added = backfill(project, names, again)
    for name, change in added.items():
        if again or change != "completed":  # after a rebuild most are completed
            console.print(f"{name}: {change}", highlight=False)
    dead = fail_dead_runs() if end_dead or added else []
    for name in dead:
        console.print(f"{name}: marked as failed, its process is gone", highlight=False)
    return dict.fromkeys(dead, "marked as failed") | added


def _up_to_date(project: Project) -> list[str]:
    """The experiments whose stages DVC finds up to date, in the order of params.yaml."""
    evaluations = {name: evaluate_stage(project.section_of(name), name) for name in project.all_experiments}
    pipeline = Pipeline(Path.cwd(), list(evaluations.values()))
    pipeline.find_unchanged()
    return [name for name, stage in evaluations.items() if pipeline.stages[stage].state is StageState.UNCHANGED]
