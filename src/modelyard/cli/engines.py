"""The engine of a command: this machine, or the cluster that its options name."""

import os
from contextlib import closing
from pathlib import Path

from rich.console import Console

from modelyard.core.environment import AVX2, ONE_THREAD, QUIET
from modelyard.core.processes import core_count
from modelyard.orchestration.engine import Engine, EngineOptions
from modelyard.orchestration.local_engine import LocalEngine

LOCAL = EngineOptions()


def open_engine(
    options: EngineOptions,
    console: Console,
    local_jobs: int | None = None,
    modules: tuple[str, ...] = (),
    log: Path | None = None,
) -> "closing[Engine]":
    """Return the engine, as a context at whose end all of its work has ended.

    Args:
        options: of the command.
        console: shows which workers of a cluster get no task.
        local_jobs: the number of tasks at once on this machine where no option says it; None: one per core.
        modules: what the fork server of a cluster's machines imports.
        log: a file for what processes of this machine print.

    Raises:
        ModelyardError: the cluster cannot be used.
    """
    jobs = local_jobs or core_count()
    if not options.scheduler:
        return closing(LocalEngine(options.jobs or jobs, log=log))
    from modelyard.orchestration.cluster_engine import ClusterEngine

    def warn(line: str) -> None:
        console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)

    # Runs are logged by this machine afterwards: it has the database, if there is no server.
    of_processor = {name: os.environ.get(name, value) for name, value in AVX2.items()}
    variables = {**QUIET, **ONE_THREAD, **of_processor, "MODELYARD_TRACKING": "off"}
    return closing(ClusterEngine(Path.cwd(), options.scheduler, options, jobs, warn, variables, modules))
