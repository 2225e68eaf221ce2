"""Command line of the benchmark of searches."""

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.search import page, real, table
from benchmarks.search.compared import (
    DEFAULT,
    DEFAULT_EPOCHS,
    EPOCHS,
    PLAIN,
    PLAIN_EPOCHS,
    WARM_START,
    methods_for,
)
from benchmarks.search.measures import mean_ratio, measure
from benchmarks.search.replay import Search, replay_all
from benchmarks.search.spaces import SPACES
from modelyard.cli.interrupts import handle_termination_as_ctrl_c
from modelyard.core.errors import ModelyardError, exit_on_error
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
    only: Annotated[
        list[str] | None,
        typer.Option("--method", help="Replay these only, beside plain TPE, and keep the results of the others."),
    ] = None,
) -> None:
    """Replay every method on the tables, and write the results as JSON and as a page."""
    results: dict[str, Any] = {"seeds": seeds, "optuna": version("optuna"), "means": {}}
    if only:
        results = _kept_results(results, only)
    tables = {name: table.load(name) for name in spaces or list(SPACES)}
    done: dict[str, dict[str, list[Search]]] = {name: {} for name in tables}  # some methods are of two kinds
    without_test = {  # a table has it after all epochs only
        name: replace(of, test=np.full_like(of.test, np.nan)) for name, of in tables.items()
    }
    for kind, of_kind, plain, default in (
        ("spaces", tables, PLAIN, DEFAULT),
        ("epochs", without_test, PLAIN_EPOCHS, DEFAULT_EPOCHS),
        ("warm_start", tables, PLAIN, None),
    ):
        defaults = []
        for name, of in of_kind.items():
            known = {"spaces": methods_for(of.space), "epochs": EPOCHS, "warm_start": WARM_START}[kind]
            chosen = [each for each in known if not only or each in only]
            if not chosen:
                continue
            wanted = dict.fromkeys([plain, *chosen])
            done[name] |= replay_all(name, [each for each in wanted if each not in done[name]], seeds, workers)
            searches = {each: done[name][each] for each in wanted}
            measured, before = measure(of, searches, plain), results.setdefault(kind, {}).get(name)
            if only and before:
                measured["methods"] = before["methods"] | measured["methods"]
            results[kind][name] = measured
            if default in searches:
                defaults.append((of, searches[plain], searches[default]))
        if defaults:
            results["means"][kind] = {default: mean_ratio(defaults)}
    write_json(RESULTS / REPLAYED, results)
    write_page()


def _kept_results(now: dict[str, Any], only: list[str]) -> dict[str, Any]:
    """The results that a replay of some methods is added to.

    Raises:
        ModelyardError: a method cannot be replayed, or the results are of other seeds or another Optuna.
    """
    known = set().union(EPOCHS, WARM_START, *(methods_for(space) for space in SPACES.values()))
    if unknown := sorted(set(only) - known):
        raise ModelyardError(f"no such method, or its package is not installed: {', '.join(unknown)}.")
    kept: dict[str, Any] = read_json(RESULTS / REPLAYED)
    if any(kept[key] != now[key] for key in ("seeds", "optuna")):
        raise ModelyardError(f"{REPLAYED} is of another number of seeds or of another Optuna: replay all methods.")
    return kept


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
    """Write the page and the plots of what was measured, and the short ones in docs/tuning.md."""
    measured = RESULTS / REAL
    replayed, searched = read_json(RESULTS / REPLAYED), read_json(measured) if measured.exists() else None
    page.write(replayed, searched, RESULTS)
    page.fill(DOCS, replayed, searched)
    print(f"Wrote {RESULTS / 'README.md'} and the tables in {DOCS}")


if __name__ == "__main__":
    handle_termination_as_ctrl_c()
    with exit_on_error():
        app()
