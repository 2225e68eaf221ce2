"""What a command needs of the pipeline is brought up to date before it begins."""

from collections.abc import Collection
from pathlib import Path

from rich.console import Console

from modelyard.cli.display import Display
from modelyard.runner import Pipeline, State

LINES = 5  # of what a failed stage said


def bring(targets: Collection[str], console: Console, jobs: int = 1) -> dict[str, str]:
    """Run the stages that these targets need and that are not up to date; returns what failed, and why."""
    pipeline = Pipeline(Path.cwd(), targets)
    pipeline.find_unchanged()
    with Display(console, pipeline) as display:
        pipeline.run(jobs, display.show)
    failed = (stage for stage in pipeline.stages.values() if stage.state is State.FAILED)
    return {stage.name: "\n".join(stage.last_lines(LINES)) for stage in failed}
