"""`modelyard run`: the rebuild, told as it goes."""

import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from modelyard import params
from modelyard.cli.display import Display, looking, tell_plan
from modelyard.cli.interrupts import handle_termination_as_ctrl_c
from modelyard.cli.prerequisites import refuse_edited
from modelyard.cli.runs import backfill_after_rebuild
from modelyard.core.errors import ModelyardError
from modelyard.data.download import HostReachability
from modelyard.orchestration.fork_server import running_server
from modelyard.orchestration.scheduler import SUCCEEDED, Pipeline, Stage, StageState
from modelyard.params.project import Project
from modelyard.params.results import PRETRAINED_STAGES, evaluate_stage
from modelyard.tracking import is_enabled
from modelyard.tracking.environment import REBUILD

GIGABYTES_A_STAGE = 3  # a training on MNIST peaks below that
LOG_LINES = 12
USUAL = Path("docs/costs.json")  # a fresh clone knows by it which stages are the longest
HEAVY = ("train", "evaluate")
OLD = "from an earlier rebuild"
LIBRARIES = (
    "keras",
    "mlflow.keras",
    "mlflow.sklearn",
    "mlflow.store.tracking.sqlalchemy_store",
    "sklearn.ensemble",
    "skops.io",
    "matplotlib.figure",
    "scipy.stats",
)


def rebuild(names: Sequence[str], jobs: int | None, demo: bool, strict: bool, dry: bool) -> int:
    """Bring experiments up to date and tell the result; returns the exit code.

    Raises:
        ModelyardError: params.yaml, a name or a checksum of a person's own file is wrong; then nothing was run.
    """
    console = Console()
    handle_termination_as_ctrl_c()
    project = params.load()
    chosen = _chosen(project, names, demo)
    with looking(console):
        pipeline = Pipeline(Path.cwd(), [*chosen.values()] + ([] if names or demo else ["compare"]), USUAL)
        refuse_edited(project, pipeline.stages)
        pipeline.find_unchanged()
        skipped = _unreachable(project, pipeline.stages, Path.cwd())
        pipeline.skip(skipped)
    if dry:
        tell_plan(console, pipeline.stages)
        return int(strict and bool(skipped))
    os.environ.setdefault(REBUILD, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    with _fork_server_if_needed(pipeline), Display(console, pipeline) as display:
        try:
            pipeline.run(jobs or _jobs(project.runtime.threads), display.show, tolerant=["compare"])
        except KeyboardInterrupt:
            console.print("\nStopped. What is finished is kept; run again to go on.")
            return 130
    _tell(console, project, chosen, pipeline.stages, skipped)
    failed = any(stage.state is StageState.FAILED for stage in pipeline.stages.values())
    whole = [name for name, stage in chosen.items() if pipeline.stages[stage].state in SUCCEEDED]
    backfill_after_rebuild(console, project, whole, end_dead=failed)
    return int(failed or (strict and bool(skipped)))


def _chosen(project: Project, names: Sequence[str], demo: bool) -> dict[str, str]:
    """The experiments to bring up to date, each with the stage that completes it."""
    wanted = names or project.all_experiments
    completed_by = {name: evaluate_stage(project.section_of(name), name) for name in wanted}
    chosen = {name: stage for name, stage in completed_by.items() if not demo or _comes_along(project, name)}
    if demo and not chosen:
        raise ModelyardError(f"no data of {', '.join(wanted)} comes with the libraries: leave out --demo.")
    return chosen


def _comes_along(project: Project, experiment: str) -> bool:
    """Whether all that an experiment needs comes with the libraries or stands in params.yaml."""
    files = project.datasets[project.dataset_of(experiment)].files.values()
    return experiment in project.experiments and all(source.package or source.text for source in files)


def _unreachable(project: Project, stages: Collection[str], root: Path) -> dict[str, str]:
    """The fetch stages whose files are neither here nor at any address that answers, with what to do about it."""
    fetched = {f"fetch@{name}": name for name in project.datasets}
    fetched |= {f"{PRETRAINED_STAGES}fetch@{name}": name for name in project.backbones}
    file_sets = {stage: project.files_of(name, root) for stage, name in fetched.items() if stage in stages}
    hosts = HostReachability(address for files in file_sets.values() for address in files.all_addresses())
    skipped = {}
    for stage, files in file_sets.items():
        missing = files.unreachable(root / "data" / "raw" / fetched[stage], hosts)
        if missing:
            skipped[stage] = files.unavailable_message(missing)
    return skipped


def _fork_server_if_needed(pipeline: Pipeline) -> AbstractContextManager[None]:
    """Import the heavy libraries once for all stages that train or evaluate, if there are any."""
    waiting = [stage for stage in pipeline.stages.values() if stage.state is StageState.WAITING]
    return running_server(LIBRARIES) if any(map(_is_heavy, waiting)) else nullcontext()


def _is_heavy(stage: Stage) -> bool:
    return stage.name.removeprefix(PRETRAINED_STAGES).startswith(HEAVY)


def _jobs(threads: int) -> int:
    """As many stages as have a core for each of their threads, and memory: more would only wait for each other."""
    import psutil

    memory = psutil.virtual_memory().available // (GIGABYTES_A_STAGE * 2**30)
    return max(1, min(len(os.sched_getaffinity(0)) // threads, memory))


def _tell(
    console: Console,
    project: Project,
    chosen: Mapping[str, str],
    stages: Mapping[str, Stage],
    skipped: Mapping[str, str],
) -> None:
    if any(stage.state is not StageState.UNCHANGED for stage in stages.values()):
        old = [name for name, stage in chosen.items() if stages[stage].state not in SUCCEEDED]
        console.print(_result_table(project, chosen, old))
    for name, reason in skipped.items():
        _say(console, (f"\n{name} was skipped. ", "bold yellow"), reason)
    for stage in stages.values():
        if stage.state is StageState.FAILED:
            _say(console, (f"\n{stage.name} failed. ", "bold red"), f"The end of {stage.log}:")
            _say(console, "\n".join(stage.last_lines(LOG_LINES)))
    not_rebuilt = [name for name, stage in chosen.items() if stages[stage].state is StageState.SKIPPED]
    if not_rebuilt:
        _say(console, f"\nNot rebuilt: {', '.join(not_rebuilt)}.")
    counts = {state: sum(stage.state is state for stage in stages.values()) for state in StageState}
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    _say(console, f"\nStages: {told}.\n{_next(stages)}")


def _say(console: Console, *parts: str | tuple[str, str]) -> None:
    """Print text, each part perhaps with a style, in unbroken lines: half a path or address is of no use."""
    console.print(Text.assemble(*parts), soft_wrap=True)


def _next(stages: Mapping[str, Stage]) -> str:
    """Where a person may look now."""
    has_runs = is_enabled() and any(stage.state is StageState.BUILT and _is_heavy(stage) for stage in stages.values())
    of_these = f" (those of this rebuild: tags.rebuild = '{os.environ[REBUILD]}')" if has_runs else ""
    browse = f"`make ui` shows every run in the browser{of_these}"
    if "compare" in stages and stages["compare"].state in SUCCEEDED:
        return f"Next: `make report` writes all on one page, reports/index.html; {browse}."
    return f"Next: {browse}; `modelyard run` without names compares all, in reports/comparison.md."


def _result_table(project: Project, chosen: Collection[str], old: Collection[str]) -> Table:
    """The results of the chosen experiments; what is here of the `old` was not brought up to date, and says so."""
    from modelyard.experiments.compare import MISSING, compare, overview

    compared = compare(project, params.load_published(project), Path("results"), Path("pretrained/results"))
    compared.loc[compared.experiment.isin(old) & (compared.state != MISSING), "state"] = OLD
    table = Table(
        Column("experiment", no_wrap=True), "on the test rows (95 % interval)", "published", "remarks", title="Results"
    )
    for row in overview(compared[compared.experiment.isin(chosen)]).itertuples():
        table.add_row(row.experiment, row.value, row.published, row.remarks)
    return table
