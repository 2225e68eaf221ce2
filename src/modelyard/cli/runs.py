"""`modelyard runs`: the diary brought up to date with the files, and one run of it explained."""

import sys
from collections.abc import Collection
from pathlib import Path

from rich.console import Console

from modelyard import params
from modelyard.core.errors import ModelyardError
from modelyard.orchestration.scheduler import Pipeline, StageState
from modelyard.params.project import Project
from modelyard.params.results import evaluate_stage
from modelyard.tracking import is_on, without_password


def fill(console: Console) -> None:
    """Have the diary tell of every experiment that is up to date, and say what was done.

    Raises:
        ModelyardError: nothing is tracked, or params.yaml is wrong.
    """
    if not is_on():
        raise ModelyardError("MODELYARD_TRACKING is off: there is no diary to fill in. Unset it and try again.")
    project = params.load()
    names = _up_to_date(project)
    if not _tell(console, project, names, again=True, died=True):
        console.print(f"The diary tells of all that is up to date here: {len(names)} experiments.", highlight=False)


def fill_quietly(console: Console, project: Project, names: Collection[str], died: bool) -> None:
    """The same for experiments just brought up to date, after some `died` or none; what goes wrong is a warning."""
    if not is_on():
        return
    try:
        _tell(console, project, names, again=False, died=died)
    except Exception as error:  # whatever MLflow, its database or its server may raise
        told = without_password(f"{type(error).__name__}: {error}")
        print(f"warning: the diary was not completed: {told}. Later: modelyard runs fill", file=sys.stderr)  # noqa: T201


def explain(run: str) -> None:
    """Print which commit and data rebuild a run, given by its id or, for its latest run, by its experiment's name.

    Raises:
        ModelyardError: there is no such run.
    """
    from modelyard.tracking import provenance, queries

    record = next(iter(queries.of(run)), None) if run.isidentifier() else None
    print(provenance.explain(record or queries.read(run), Path.cwd()))  # noqa: T201


def _tell(console: Console, project: Project, names: Collection[str], again: bool, died: bool) -> bool:
    """Fill in, and end what died; tell what changed and whether anything did."""
    from modelyard.tracking.backfill import fill
    from modelyard.tracking.queries import end_what_died

    done = fill(project, names, again)
    for name, what in done.items():
        if again or what != "completed":  # after each rebuild most are completed
            console.print(f"{name}: {what}", highlight=False)
    dead = end_what_died() if died or done else []
    for name in dead:
        console.print(f"{name}: shown as failed, its process is gone", highlight=False)
    return bool(done or dead)


def _up_to_date(project: Project) -> list[str]:
    """The experiments that DVC finds up to date, as params.yaml orders them."""
    evaluations = {name: evaluate_stage(project.section_of(name), name) for name in project.runs}
    pipeline = Pipeline(Path.cwd(), list(evaluations.values()))
    pipeline.find_unchanged()
    return [name for name, stage in evaluations.items() if pipeline.stages[stage].state is StageState.UNCHANGED]
