"""`modelyard explain`: which columns matter to the models of a table."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from modelyard import models, params
from modelyard.cli.prerequisites import bring
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
    """Write and tell what each column is worth to each of these experiments' models.

    Raises:
        ModelyardError: no such experiment, they learn from several data sets, or from no table.
    """
    import pandas as pd

    console, project = Console(), params.load()
    dataset = _dataset_of(project, names)
    failed = bring([train_stage(project.section_of(name), name) for name in names], console)
    if failed:
        raise ModelyardError("\n".join(f"{stage} failed: {reason}" for stage, reason in failed.items()))
    parts = []
    for name in names:
        model, rows = (
            models.load(results_of(project, name).model),
            Path("data/inputs") / project.all_experiments[name].input,
        )
        found = feature_importance.explain(model, inputs.load_training(rows / "training"), rows / "test", shuffles)
        parts.append(found.assign(experiment=name))
    table = pd.concat(parts, ignore_index=True)[["experiment", *parts[0].columns[:-1]]]
    write_table(FOLDER / f"{dataset}.csv", table)  # makes the folder
    drawn = feature_importance.plot(table, feature_importance.error_label(model), project.units.get(dataset, ""))
    plots.save(drawn, FOLDER / f"{dataset}.png")
    console.print(_told(table))
    console.print(f"Written: {FOLDER}/{dataset}.csv, {FOLDER}/{dataset}.png", highlight=False)


def _dataset_of(project: Project, names: Sequence[str]) -> str:
    """The one data set of these experiments."""
    for name in names:
        if name not in project.experiments | project.transfers:
            known = project.experiments | project.transfers
            raise ModelyardError(f"no such experiment: {name}; {suggest(name, known)}")
    found = {project.dataset_of(name): name for name in names}
    if len(found) > 1:
        told = ", ".join(f"{name} from {dataset}" for dataset, name in found.items())
        raise ModelyardError(f"these learn from several data sets: {told}. Explain those of one at a time.")
    return next(iter(found))


def _told(table: "pd.DataFrame") -> Table:
    """A line a column, the most important first."""
    of_all = table[table.measure == feature_importance.IMPORTANCE].groupby("feature").value.mean()
    columns = list(dict.fromkeys(zip(table.experiment, table.measure, strict=True)))
    cells = table.set_index(["experiment", "measure", "feature"])
    shown = Table("column", *(f"{name}\n{measure}" for name, measure in columns), title="What each column is worth")
    for feature in of_all.sort_values(ascending=False, kind="stable").index:
        rows = (cells.loc[(*column, feature)] for column in columns)
        shown.add_row(feature, *(f"{row.value:.3g} ({row.low:.3g} to {row.high:.3g})" for row in rows))
    return shown
