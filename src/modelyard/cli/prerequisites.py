"""Brings the pipeline stages that a command needs up to date before the command starts its own work."""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from modelyard import params
from modelyard.cli import package_code
from modelyard.cli.display import StageDisplay, checking_status
from modelyard.core.errors import ModelyardError
from modelyard.core.processes import core_count
from modelyard.orchestration.run_lock import only_run
from modelyard.orchestration.scheduler import SUCCEEDED, Pipeline, Stage, StageState
from modelyard.params.project import EstimatorExperiment, Project
from modelyard.tracking import is_enabled, lineage

LOG_LINES = 12  # shown of the log of a failed stage
GIGABYTES_PER_STAGE = 3  # a training on MNIST peaks below that
LIBRARIES = (
    "keras",
    "mlflow.keras",
    "mlflow.sklearn",
    "mlflow.pyfunc",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.system_metrics.system_metrics_monitor",
    "mlflow.tracing.processor.base_mlflow",
    "git",  # with which MLflow finds the commit of a run
    "sklearn.ensemble",
    "skops.io",
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "scipy.stats",
    "sqlalchemy.dialects.sqlite",
    "filelock",
    "ruamel.yaml",
    "typer",
)
"""What training and evaluation import: once for all stages, because that takes seconds."""
OF_NETWORKS = ("keras", "mlflow.keras")
OF_TRACKING = ("mlflow.", "git")

Watch = Callable[[Mapping[str, Stage]], None]
"""What a pipeline calls with all stages whenever one starts or ends."""


def libraries_of(project: Project, stages: Collection[str]) -> tuple[str, ...]:
    """Return those of LIBRARIES that these stages import: importing Keras takes longer than fitting a linear model."""
    if not stages:
        return ()
    experiments = [project.all_experiments.get(name.rpartition("@")[2]) for name in stages]  # None: of a batch
    are_networks = not all(isinstance(each, EstimatorExperiment) for each in experiments)
    left_out = (() if are_networks else OF_NETWORKS) + (() if is_enabled() else OF_TRACKING)
    return tuple(name for name in LIBRARIES if not name.startswith(left_out))


def report_package_changes(console: Console) -> None:
    """Note which code of the package is installed, on which stages depend, and print what of it has changed."""
    if changes := package_code.refresh(Path.cwd()):
        console.print(changes, markup=False, highlight=False, soft_wrap=True)


def refuse_edited_files(project: Project, stages: Collection[str]) -> None:
    """Refuse to run if a user's own data file has changed: DVC checks only the verified copy of it.

    Raises:
        ModelyardError: each such file that these stages need, and the checksum to write if it was meant to change.
    """
    used = [name for name in project.datasets if f"fetch@{name}" in stages]
    edited = {name: project.files_of(name, Path.cwd()).edited_messages() for name in used}
    lines = [
        f"  datasets.{name}.files.{file}: {what}" for name, files in edited.items() for file, what in files.items()
    ]
    if lines:
        raise ModelyardError("\n".join(("a data file does not match its checksum; nothing was run.", *lines)))


def default_jobs() -> int:
    """As many stages as there are cores and memory for: more would only slow each other down."""
    import psutil

    by_memory = psutil.virtual_memory().available // (GIGABYTES_PER_STAGE * 2**30)
    return max(1, min(core_count(), by_memory))


def recording_lineage(project: Project, watch: Watch) -> Watch:
    """Return `watch`, but that it also records the machine of each stage when its command has ended.

    Not at the end of a run, which may be killed before.
    """
    recorded: set[str] = set()

    def watch_and_record(stages: Mapping[str, Stage]) -> None:
        watch(stages)
        ended = {name: stage.machine for name, stage in stages.items() if stage.is_computed and name not in recorded}
        with suppress(ModelyardError):  # a dvc.lock that somebody edits right now: tried again after the next stage
            lineage.record(ended, project.runtime, Path.cwd())
            recorded.update(ended)

    return watch_and_record


def run_stages(targets: Collection[str], console: Console, jobs: int = 1) -> dict[str, Stage]:
    """Run the target stages and what they depend on, where out of date; returns all these stages.

    Raises:
        ModelyardError: see `refuse_edited_files`; nothing was run.
    """
    with only_run(Path.cwd(), None, console.print):
        report_package_changes(console)
        with checking_status(console):
            pipeline = Pipeline(Path.cwd(), targets)
            project = params.load()
            refuse_edited_files(project, pipeline.stages)
            pipeline.find_unchanged()
        with StageDisplay(console, pipeline) as display:
            pipeline.run(jobs, recording_lineage(project, display.show))
        return pipeline.stages


def require_stages(targets: Collection[str], console: Console, jobs: int = 1) -> None:
    """Run the target stages and what they depend on, where out of date.

    Raises:
        ModelyardError: one of them failed, or see `refuse_edited_files`.
    """
    for stage in run_stages(targets, console, jobs).values():  # upstream first: the first is the cause of the others
        if stage.state not in SUCCEEDED:
            log = "\n".join(stage.last_lines(LOG_LINES)) or stage.reason
            raise ModelyardError(f"{stage.name} {stage.state}; nothing else was run. The end of {stage.log}:\n{log}")


def failures(stages: Mapping[str, Stage]) -> dict[str, str]:
    """The end of the log of each stage that failed, by stage."""
    failed = (stage for stage in stages.values() if stage.state is StageState.FAILED)
    return {stage.name: "\n".join(stage.last_lines(LOG_LINES)) for stage in failed}
