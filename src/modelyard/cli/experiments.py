"""`modelyard experiments`: the names that other commands take, and what is here of each."""

from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

from modelyard import params
from modelyard.experiments.compare import MISSING, compare, scores


def list_all() -> None:
    """Print a line an experiment, in the order of their data sets.

    Raises:
        ModelyardError: params.yaml is wrong.
    """
    project = params.load()
    compared = compare(project, params.load_published(project), Path("results"), Path("pretrained/results"))
    figures = {row.experiment: f"{row.metric} {row.score:.4g}" for row in scores(compared).itertuples()}
    names = (Column(each, no_wrap=True) for each in ("experiment", "data set", "model"))
    table = Table(*names, "on its test rows", box=None, padding=(0, 2, 0, 0))
    for name in compared.experiment.unique():
        model = project.all_experiments[name].model.family
        table.add_row(name, project.dataset_of(name), model, figures.get(name, MISSING))
    Console().print(table)
