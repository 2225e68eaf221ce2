"""What a command needs of the pipeline is brought up to date before it begins."""

from collections.abc import Collection
from pathlib import Path

from rich.console import Console

from modelyard.cli.display import Display
from modelyard.runner import Pipeline, Stage, State

LINES = 5  # of what a failed stage said


def brought(targets: Collection[str], console: Console, jobs: int = 1) -> dict[str, Stage]:
    """Run the stages that these targets need and that are not up to date; returns what became of each."""
    pipeline = Pipeline(Path.cwd(), targets)
    pipeline.find_unchanged()
    with Display(console, pipeline) as display:
        pipeline.run(jobs, display.show)
    return pipeline.stages


def bring(targets: Collection[str], console: Console) -> dict[str, str]:
    """The same; returns what failed, and why."""
    failed = (stage for stage in brought(targets, console).values() if stage.state is State.FAILED)
    return {stage.name: "\n".join(stage.last_lines(LINES)) for stage in failed}
