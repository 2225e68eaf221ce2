"""`modelyard explain`: feature importance of models on the same table."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from modelyard import models, params
from modelyard.cli.prerequisites import require_stages
from modelyard.core.config import suggest
from modelyard.core.errors import ModelyardError
from modelyard.core.files import write_table
from modelyard.data import inputs
from modelyard.experiments import feature_importance, plots
from modelyard.params.project import Project
from modelyard.params.results import results_of, train_stage

if TYPE_CHECKING:
    import pandas as pd

FOLDER = Path("reports/explain")


def explain(names: Sequence[str], shuffles: int) -> None:
    """Compute, write and print the importance of each column for the models of these experiments.

    Raises:
        ModelyardError: there is no such experiment, they have different data sets, their data is no table, or their
            training failed.
    """
    import pandas as pd

    console, project, names = Console(), params.load(), list(dict.fromkeys(names))
    dataset = _dataset_of(project, names)
    require_stages([train_stage(project.section_of(name), name) for name in names], console)
    parts = []
    for name in names:
        model = models.load(results_of(project, name).model)
        data = Path("data/inputs") / project.all_experiments[name].input
        part = feature_importance.explain(model, inputs.load_training(data / "training"), data / "test", shuffles)
        parts.append(part.assign(experiment=name))
    table = pd.concat(parts, ignore_index=True)[["experiment", *parts[0].columns[:-1]]]
    write_table(FOLDER / f"{dataset}.csv", table)  # makes the folder
    figure = feature_importance.plot(table, feature_importance.error_label(model), project.units.get(dataset, ""))
    plots.save(figure, FOLDER / f"{dataset}.png")
    for name in names:
        console.print(_importance_table(name, table[table.experiment == name]))
    console.print(f"Written: {FOLDER}/{dataset}.csv, {FOLDER}/{dataset}.png", highlight=False)


def _dataset_of(project: Project, names: Sequence[str]) -> str:
    """The data set that these experiments share.

    Raises:
        ModelyardError: there is no such experiment, or they have different data sets.
    """
    known = project.experiments | project.transfers
    for name in names:
        if name not in known:
            raise ModelyardError(f"no such experiment: {name}; {suggest(name, known)}")
    datasets = {project.dataset_of(name): name for name in names}
    if len(datasets) > 1:
        pairs = ", ".join(f"{name} on {dataset}" for dataset, name in datasets.items())
        raise ModelyardError(f"these experiments have different data sets: {pairs}. Explain one data set at a time.")
    return next(iter(datasets))


def _importance_table(name: str, table: "pd.DataFrame") -> Table:
    """One line per column of the data, the most important for this experiment first."""
    measures = list(dict.fromkeys(table.measure))
    importance = table[table.measure == feature_importance.IMPORTANCE].set_index("feature").value
    cells = {
        (row.feature, row.measure): f"{row.value:.3g} ({row.low:.3g} to {row.high:.3g})" for row in table.itertuples()
    }
    shown = Table("column", *measures, title=f"{name}: feature importance (95 % interval)", title_justify="left")
    for feature in importance.sort_values(ascending=False, kind="stable").index:
        shown.add_row(escape(str(feature)), *(cells[feature, measure] for measure in measures))
    return shown
