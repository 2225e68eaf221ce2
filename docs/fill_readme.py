"""Bring the README's result table and pictures, and the table of costs, up to date with the last rebuild."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from modelyard.core.errors import ModelyardError, explained
from modelyard.core.files import write_text
from modelyard.core.markdown import markdown_table
from modelyard.experiments.compare import overview
from modelyard.orchestration.scheduler import TIMES
from modelyard.params import load
from modelyard.params.results import evaluate_stage, train_stage

README, COSTS = Path("README.md"), Path("docs/costs.md")
COMPARISON = Path("reports/comparison.csv")
PICTURES = (
    Path("results/fashion_cnn/figures/first_training_images.png"),
    Path("results/mnist_cnn/figures/learning_curve.png"),
    Path("results/digits_detector/figures/detections.png"),
)


def result_table() -> str:
    """The overview of reports/comparison.csv as a Markdown table."""
    compared = pd.read_csv(COMPARISON, dtype={"notebook": str})
    table = overview(compared.fillna({"notebook": "", "note": ""}))
    return markdown_table(list(table.columns), table.itertuples(index=False))


def cost_table() -> str:
    """Seconds of each experiment's training and evaluation, the dearest first, and their sum."""
    costs = sorted(_costs(), key=lambda cost: -sum(cost[1:]))
    lines = [(f"`{name}`", f"{training:.0f}", f"{evaluation:.0f}") for name, training, evaluation in costs]
    total = ("all", *(f"{sum(cost[column] for cost in costs):.0f}" for column in (1, 2)))
    cores = len(os.sched_getaffinity(0))
    told = f"Seconds on {cores} cores, as many stages at once; a stage waits for DVC's lock now and then."
    return f"{told}\n\n" + markdown_table(["experiment", "training", "evaluation"], [*lines, total])


def _costs() -> Iterator[tuple[str, float, float]]:
    seconds, project = json.loads(TIMES.read_text(encoding="utf-8")), load()
    for name in project.all_experiments:
        section = project.section_of(name)
        stages = (train_stage(section, name), evaluate_stage(section, name))
        if all(stage in seconds for stage in stages):
            yield name, *(seconds[stage] for stage in stages)


def fill(path: Path, content: str) -> None:
    """Replace what stands between the marks of a page."""
    page = path.read_text(encoding="utf-8")
    write_text(
        path,
        re.sub(r"(?s)(<!-- results -->\n).*?(\n<!-- end -->)", lambda found: f"{found[1]}{content}{found[2]}", page),
    )


def refuse_part_of_a_rebuild() -> None:
    """Change no page by less than a whole rebuild: its tables would lose what was not built."""
    missing = [str(path) for path in (COMPARISON, TIMES, *PICTURES) if not path.exists()]
    if missing:
        raise ModelyardError(
            f"the pages tell of a whole rebuild, and none is here: {', '.join(missing)} missing. Nothing was changed. "
            "Run first: make run. Pictures that nothing makes any more: PICTURES in docs/fill_readme.py."
        )


def main() -> None:
    """Bring all pages up to date, or none."""
    refuse_part_of_a_rebuild()
    fill(README, result_table())
    fill(COSTS, cost_table())
    shutil.copyfile(TIMES, COSTS.with_suffix(".json"))
    for picture in PICTURES:
        shutil.copyfile(picture, Path("docs/pictures") / f"{picture.parts[1]}_{picture.name}")


if __name__ == "__main__":
    with explained():
        main()
