"""`modelyard label-errors`: the training and validation samples whose label is most doubtful."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from modelyard import params
from modelyard.cli.prerequisites import require_stages
from modelyard.core.config import suggest
from modelyard.core.errors import ModelyardError
from modelyard.core.files import write_table
from modelyard.core.keys import warn_of_keys
from modelyard.data import inputs, readers
from modelyard.data.cross_validation import divide_folds
from modelyard.experiments import label_errors, plots

if TYPE_CHECKING:
    import pandas as pd

FOLDER = Path("reports/label_errors")
PRINTED = 15


def find(name: str, folds: int, count: int) -> None:
    """Rank, write and print the samples of an experiment whose label is most doubtful.

    Raises:
        ModelyardError: there is no such experiment, it is no classification, or its data does not suffice.
    """
    console, project = Console(), params.load()
    if name in project.transfers or name in project.pretrained:
        raise ModelyardError(
            f"{name} is a transfer, and these are not fitted again for folds: name another experiment on its data"
        )
    if name not in project.experiments:
        raise ModelyardError(f"no such experiment: {name}; {suggest(name, project.experiments)}")
    experiment = project.experiments[name]
    settings = project.inputs[experiment.input]
    dataset = project.datasets[settings.dataset]
    label_errors.check_task(project.task_of(name))
    require_stages([f"normalise@{experiment.input}"], console)
    data = inputs.load_training(Path("data/inputs") / experiment.input / "training")
    divide_folds(data, folds, experiment.training.seed)  # refused before the first fit
    with Progress(console=console) as progress:
        task = progress.add_task(f"fitting {folds} models", total=folds)
        probabilities = label_errors.out_of_fold_probabilities(
            experiment, data, folds, project.runtime, lambda number: progress.update(task, completed=number)
        )
    ranked = label_errors.find_label_errors(data.samples.y, probabilities)
    positions = inputs.training_positions(readers.read(dataset, Path("data/raw") / settings.dataset), settings)
    first = ranked.head(count)
    table = label_errors.describe_samples(first, data, positions)
    written = [FOLDER / f"{name}.csv"]
    write_table(written[0], table)  # makes the folder
    if warning := warn_of_keys(written[0].read_text(encoding="utf-8"), str(written[0]), "which the report shows"):
        console.print(warning, markup=False, highlight=False, soft_wrap=True)
    if len(data.description.shape) == 3:
        images = data.samples.x[first.index[: label_errors.PICTURES]]
        written.append(FOLDER / f"{name}.png")
        plots.save(label_errors.plot_label_errors(table, images, data.description.white_level), written[1])
    console.print(_table(table.head(PRINTED), label_errors.first_words(first.head(PRINTED), data)))
    console.print(
        f"{ranked.likely_error.sum()} of {len(ranked)} training and validation samples have a likely label error. "
        "Rows count from 1 in the order of the data set.",
        highlight=False,
    )
    console.print(f"Written: {', '.join(map(str, written))}", highlight=False)


def _table(table: "pd.DataFrame", texts: list[str]) -> Table:
    """The samples; of texts with their first words, which are kept nowhere."""
    shown = Table("row", "label", "probability", "suggested", "probability", title="Most doubtful labels")
    if texts:
        shown.add_column("text")
    for row, *text in zip(table.itertuples(), *([texts] if texts else []), strict=True):
        probabilities = (f"{row.probability_of_label:.3g}", f"{row.probability_of_suggested:.3g}")
        suggested = escape(str(row.suggested)) if row.likely_error else f"({escape(str(row.suggested))})"
        cells = (str(row.row), escape(str(row.label)), probabilities[0], suggested, probabilities[1])
        shown.add_row(*cells, *map(escape, text))
    return shown
