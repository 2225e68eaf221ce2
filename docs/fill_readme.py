"""Update the result table and plots of the README, and docs/costs.md, after a complete rebuild."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from modelyard.cli.experiments import read_results
from modelyard.core.errors import ModelyardError, exit_on_error
from modelyard.core.files import read_json
from modelyard.core.processes import core_count
from modelyard.core.report_text import fill, markdown_table
from modelyard.experiments.compare import overview
from modelyard.orchestration.scheduler import TIMES
from modelyard.params import load, load_published
from modelyard.params.results import evaluate_stage, train_stage
from modelyard.reporting.markdown import overview_table

README, COSTS = Path("README.md"), Path("docs/costs.md")
PLOTS = (
    Path("results/fashion_cnn/figures/first_training_images.png"),
    Path("results/mnist_cnn/figures/learning_curve.png"),
    Path("results/mnist_detector/figures/detections.png"),
)


def result_table() -> str:
    """The headline metrics as a Markdown table."""
    project = load()
    return overview_table(overview(read_results(project, load_published(project))))


def cost_table() -> str:
    """Seconds of training and evaluation by experiment, the slowest first, and their sums."""
    costs = sorted(_costs(), key=lambda cost: -sum(cost[1:]))
    lines = [(f"`{name}`", f"{training:.0f}", f"{evaluation:.0f}") for name, training, evaluation in costs]
    total = ("total", *(f"{sum(cost[column] for cost in costs):.0f}" for column in (1, 2)))
    note = f"Seconds on {core_count()} cores, which the stages that run at the same time share."
    return f"{note}\n\n" + markdown_table(["experiment", "training", "evaluation"], [*lines, total])


def _costs() -> Iterator[tuple[str, float, float]]:
    seconds, project = read_json(TIMES), load()
    for name in project.all_experiments:
        section = project.section_of(name)
        stages = (train_stage(section, name), evaluate_stage(section, name))
        if all(stage in seconds for stage in stages):
            yield name, *(seconds[stage] for stage in stages)


def require_complete_rebuild() -> None:
    """Refuse a partial rebuild, which would drop the other experiments from the tables."""
    missing = [str(path) for path in (TIMES, *PLOTS) if not path.exists()]
    if missing:
        raise ModelyardError(
            f"a complete rebuild is needed, but these files are missing: {', '.join(missing)}. Nothing was changed. "
            "Run first: make run. If a plot has been removed from the project, remove it from PLOTS in "
            "docs/fill_readme.py."
        )


def main() -> None:
    """Update all pages, or none."""
    require_complete_rebuild()
    for page, content in ((README, result_table()), (COSTS, cost_table())):
        fill(page, content)
    shutil.copyfile(TIMES, COSTS.with_suffix(".json"))
    for plot in PLOTS:
        shutil.copyfile(plot, Path("docs/pictures") / f"{plot.parts[1]}_{plot.name}")


if __name__ == "__main__":
    with exit_on_error():
        main()
