"""`modelyard experiments`: the names that other commands take, and what is here of each."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from modelyard import settings
from modelyard.comparison import compare, overview


def list_all() -> None:
    """Print a line an experiment, in the order of their data sets.

    Raises:
        ModelyardError: params.yaml is wrong.
    """
    project = settings.load()
    table = Table("experiment", "data set", "model", "on the test rows (95 % interval)", "remarks")
    for row in overview(compare(project, Path("results"), Path("pretrained/results"))).itertuples():
        name = row.experiment
        table.add_row(name, project.dataset_of(name), project.runs[name].model.family, row.figure, row.remarks)
    Console().print(table)
