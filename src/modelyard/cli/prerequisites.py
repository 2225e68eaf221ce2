"""What a command needs of the pipeline is brought up to date before it begins."""

from collections.abc import Collection
from pathlib import Path

from rich.console import Console

from modelyard import params
from modelyard.cli.display import Display, looking
from modelyard.core.errors import ModelyardError
from modelyard.orchestration.scheduler import Pipeline, Stage, StageState
from modelyard.params.project import Project

LINES = 5  # of what a failed stage said


def refuse_edited(project: Project, stages: Collection[str]) -> None:
    """Stop where a person's own file is not what params.yaml says; DVC itself looks at the verified copy alone.

    Raises:
        ModelyardError: it names each such file that these stages need, with the checksum to write if that is meant.
    """
    used = [name for name in project.datasets if f"fetch@{name}" in stages]
    edited = {name: project.files_of(name, Path.cwd()).edited_messages() for name in used}
    told = [f"  datasets.{name}.files.{file}: {what}" for name, files in edited.items() for file, what in files.items()]
    if told:
        raise ModelyardError("\n".join(("a file of yours does not match its checksum; nothing was run.", *told)))


def brought(targets: Collection[str], console: Console, jobs: int = 1) -> dict[str, Stage]:
    """Run the stages that these targets need and that are not up to date; returns what became of each.

    Raises:
        ModelyardError: a person's own file is not what params.yaml says; then nothing was run.
    """
    with looking(console):
        pipeline = Pipeline(Path.cwd(), targets)
        refuse_edited(params.load(), pipeline.stages)
        pipeline.find_unchanged()
    with Display(console, pipeline) as display:
        pipeline.run(jobs, display.show)
    return pipeline.stages


def bring(targets: Collection[str], console: Console) -> dict[str, str]:
    """The same; returns what failed, and why."""
    failed = (stage for stage in brought(targets, console).values() if stage.state is StageState.FAILED)
    return {stage.name: "\n".join(stage.last_lines(LINES)) for stage in failed}
