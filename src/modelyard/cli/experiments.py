"""`modelyard experiments`: the names that other commands take, with the headline metric of each."""

from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

from modelyard import params
from modelyard.experiments.compare import MISSING, compare, scores
from modelyard.params.results import results_root


def list_experiments() -> None:
    """Print one line per experiment, ordered by data set.

    Raises:
        ModelyardError: params.yaml or published.yaml is invalid.
    """
    project = params.load()
    compared = compare(
        project, params.load_published(project), Path(results_root("experiments")), Path(results_root("pretrained"))
    )
    values = {row.experiment: f"{row.metric} {row.score:.4g}" for row in scores(compared).itertuples()}
    names = (Column(header, no_wrap=True) for header in ("experiment", "data set", "model"))
    table = Table(*names, "on test samples", box=None, padding=(0, 2, 0, 0))
    for name in compared.experiment.unique():
        model = project.all_experiments[name].model.family
        table.add_row(name, project.dataset_of(name), model, values.get(name, MISSING))
    Console().print(table)
