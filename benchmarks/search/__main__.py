"""Command line of the benchmark of searches."""

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.search import page, real, table
from benchmarks.search.compared import EPOCHS, PLAIN, PLAIN_EPOCHS, WARM_START, methods_for
from benchmarks.search.measures import measure
from benchmarks.search.replay import replay_all
from benchmarks.search.spaces import SPACES
from modelyard.cli.interrupts import handle_termination_as_ctrl_c
from modelyard.core.errors import exit_on_error
from modelyard.core.files import read_json, write_json

RESULTS = Path(__file__).parent / "results"
DOCS = Path(__file__).parents[2] / "docs" / "tuning.md"
REPLAYED, REAL = "replayed.json", "real.json"

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False)
Names = Annotated[list[str] | None, typer.Argument(help=f"Spaces: {', '.join(SPACES)}. Default: all.")]


@app.command("table")
def make_tables(
    spaces: Names = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that train side by side.")] = 2,
    folder: Annotated[Path, typer.Option(help="Where each training is stored until all are done.")] = Path(
        ".modelyard/search"
    ),
) -> None:
    """Train every configuration of the spaces; a run that was stopped goes on where it was."""
    for name in spaces or list(SPACES):
        table.train(name, folder, workers)
        print(f"Wrote {table.pack(name, folder)}", flush=True)


@app.command()
def replay(
    spaces: Names = None,
    seeds: Annotated[int, typer.Option(min=2, help="Searches of each method.")] = 100,
    workers: Annotated[int, typer.Option(min=1)] = 2,
) -> None:
    """Replay every method on the tables, and write the results as JSON and as a page."""
    found, epochs, warm_start = {}, {}, {}
    for name in spaces or list(SPACES):
        of = table.load(name)
        found[name] = measure(of, replay_all(name, methods_for(of.space), seeds, workers))
        without_test = replace(of, test=np.full_like(of.test, np.nan))  # a table has it after all epochs only
        epochs[name] = measure(without_test, replay_all(name, EPOCHS, seeds, workers), plain=PLAIN_EPOCHS)
        warm_start[name] = measure(of, replay_all(name, WARM_START, seeds, workers))
    measured = {"spaces": found, "epochs": epochs, "warm_start": warm_start}
    results = {"seeds": seeds, "optuna": version("optuna"), **measured}
    write_json(RESULTS / REPLAYED, results)
    write_page()


@app.command("real")
def run_real_searches(
    spaces: Names = None,
    count: Annotated[
        int,
        typer.Option(
            "--best", min=0, help="Methods beside plain TPE: those of the smallest mean cost, if below its own."
        ),
    ] = 3,
    seeds: Annotated[int, typer.Option(min=1)] = 5,
) -> None:
    """Run the best methods and plain TPE with real trainings, with a fixed and with a searched number of epochs."""
    replayed, found = read_json(RESULTS / REPLAYED), dict[str, dict[str, Any]]()
    for kind, plain in (("spaces", PLAIN), ("epochs", PLAIN_EPOCHS)):
        methods = methods_for(next(iter(SPACES.values()))) | EPOCHS
        better = [name for name in page.better_than(plain, replayed[kind]) if not methods[name].resumes]
        chosen = [plain, *better[:count]]
        found[kind] = {}
        for name in spaces or list(SPACES):
            goal = replayed[kind][name]["targets"]["20"]["score"]
            found[kind][name] = {"goal": goal, "methods": real.run_all(name, chosen, seeds, goal)}
            write_json(RESULTS / REAL, {"seeds": seeds, **found})
    write_page()


@app.command("page")
def write_page() -> None:
    """Write the page and the plot of what was measured, and the table in docs/tuning.md."""
    measured = RESULTS / REAL
    replayed = read_json(RESULTS / REPLAYED)
    page.write(replayed, read_json(measured) if measured.exists() else None, RESULTS)
    page.fill(DOCS, replayed)
    print(f"Wrote {RESULTS / 'README.md'} and the table in {DOCS}")


if __name__ == "__main__":
    handle_termination_as_ctrl_c()
    with exit_on_error():
        app()
