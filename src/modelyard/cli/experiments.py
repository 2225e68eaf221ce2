"""`modelyard experiments`: the names that other commands take, with the headline metric of each."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from modelyard import params
from modelyard.experiments.compare import EARLIER, MISSING, REBUILT, UNREADABLE, compare, scores
from modelyard.params.project import Project, Published
from modelyard.params.results import results_root

if TYPE_CHECKING:
    import pandas as pd


def read_results(project: Project, published: Published) -> "pd.DataFrame":
    """The table of `compare`, without the distances from the best, for which all predictions would be resampled."""
    results, pretrained = (Path(results_root(section)) for section in ("experiments", "pretrained"))
    return compare(project, published, results, pretrained, with_distances=False)


def list_experiments() -> None:
    """Print one line per experiment, under its data set, and count the results that were not built here.

    Raises:
        ModelyardError: params.yaml or published.yaml is invalid.
    """
    project = params.load()
    compared = read_results(project, params.load_published(project))
    values = {row.experiment: f"{row.metric} {row.score:.4g}" for row in scores(compared).itertuples()}
    names = (Column(header, no_wrap=True) for header in ("experiment", "model"))
    table = Table(*names, "on test samples", "built here", box=None, padding=(0, 2, 0, 0))
    dataset = ""
    states = dict(zip(compared.experiment, compared.state, strict=True))
    for name, state in states.items():
        model = project.all_experiments[name].model.family
        value = values.get(name, MISSING if state == MISSING else UNREADABLE)
        if dataset != (dataset := project.dataset_of(name)):
            table.add_row(f"[bold]{dataset}[/]")
        table.add_row(f"  {name}", model, value, {REBUILT: "yes", EARLIER: "no"}.get(state, ""))
    console = Console()
    console.print(table)
    for name, state in states.items():
        if state.startswith(UNREADABLE):
            console.print(Text(f"{name}: {state}"), soft_wrap=True)
    if earlier := list(states.values()).count(EARLIER):
        console.print(f"\n{earlier} of {len(states)}: {EARLIER}.", highlight=False)
