"""`modelyard replicate`: train experiments with several seeds, and test claims."""

import math
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from modelyard import params
from modelyard.cli.engines import LOCAL, open_engine
from modelyard.cli.interrupts import INTERRUPTED, handle_termination_as_ctrl_c
from modelyard.cli.prerequisites import failures, run_stages
from modelyard.core.config import suggest
from modelyard.core.errors import ModelyardError
from modelyard.core.files import read_json, write_json, write_table, write_text
from modelyard.orchestration.engine import Engine, EngineOptions
from modelyard.params.claim import ClaimSettings
from modelyard.params.project import Project
from modelyard.params.variants import resolve
from modelyard.replication import claims, mlflow_log, paired_runs, series
from modelyard.replication.claims import ClaimResult, Verdict
from modelyard.replication.paired_runs import PairedRuns
from modelyard.replication.run_display import RunDisplay
from modelyard.replication.series import Series, Work, run_jobs
from modelyard.replication.single_run import Job, train_and_evaluate
from modelyard.tracking import project_root

if TYPE_CHECKING:
    import pandas as pd

RAW, REPORTS = Path("data/raw"), Path("reports")
CLAIMS, SEEDS_TABLE = REPORTS / "claims.json", REPORTS / "replication.csv"
DEFAULT_SEEDS = 5  # of an experiment; a claim states its own number


def replicate(names: Sequence[str], seeds: int | None, minutes: float, options: EngineOptions, splits: bool) -> int:
    """Run what is missing within the time limit, and write the reports; returns the exit code.

    Raises:
        ModelyardError: params.yaml, claims.yaml or a name is wrong; nothing was run.
    """
    console = Console()
    handle_termination_as_ctrl_c()
    project, folder = params.load(), runs_folder()
    declared = params.load_claims(project)
    chosen = names or [name for name, claim in declared.items() if not claim.on_request]
    of_chosen, end = dict.fromkeys(chosen, seeds), time.monotonic() + 60 * minutes
    _refuse_options(declared, chosen, seeds, splits)
    looks = {name: seeds or declared[name].seeds for name in chosen if name in declared}
    code = 0
    with open_engine(options, console) as engine:
        while True:
            wanted = _wanted_series(project, declared, chosen, looks, seeds, splits)
            if jobs := series.missing_jobs(wanted, folder):
                kept = len(series.all_jobs(wanted, folder)) - len(jobs)
                code = max(code, run_missing(jobs, kept, engine, max(0.0, end - time.monotonic()), console))
            results = _assess(project, declared, folder, of_chosen)
            wished = {name: results[name].next_look or 0 for name in looks if not seeds}
            further = {name: count for name, count in wished.items() if count > looks[name]}
            if not further or code == INTERRUPTED or time.monotonic() >= end:
                break
            looks |= further
    between_looks = {name: declared[name].looks[-1] for name, result in results.items() if _is_between_looks(result)}
    if between_looks:  # the report keeps earlier runs until there are as many as the last look needs
        results = _assess(project, declared, folder, of_chosen | between_looks)
    _report(project, results, looks, folder, console)
    mlflow_log.write((each for each, _ in wanted), folder)
    return code


def runs_folder() -> Path:
    """The folder that keeps the runs of experiments and claims."""
    return project_root() / ".modelyard" / "replication"


def train_all(
    wanted: Sequence[tuple[Series, int]],
    folder: Path,
    console: Console,
    options: EngineOptions = LOCAL,
    work: Work = train_and_evaluate,
    kind: str = "replication",
) -> int:
    """Train what is missing of each series, however long it takes, and log it; returns how many runs are left.

    Args:
        wanted: the series, each with its number of seeds.
        folder: it keeps the runs.
        console: it shows the progress.
        options: where they run.
        work: what a run does.
        kind: what the runs are for, in MLflow.

    Raises:
        typer.Exit: after Ctrl-C.
    """
    code = 0
    if jobs := series.missing_jobs(wanted, folder):
        kept = len(series.all_jobs(wanted, folder)) - len(jobs)
        with open_engine(options, console) as engine:
            code = run_missing(jobs, kept, engine, math.inf, console, work)
    mlflow_log.write((each for each, _ in wanted), folder, kind)
    if code == INTERRUPTED:
        raise typer.Exit(code)
    return len(series.missing_jobs(wanted, folder))


def _wanted_series(
    project: Project,
    declared: Mapping[str, ClaimSettings],
    names: Sequence[str],
    looks: Mapping[str, int],
    seeds: int | None,
    splits: bool,
) -> list[tuple[Series, int]]:
    """The series to run, each with its number of seeds: of a claim that of its look."""
    wanted: list[tuple[Series, int]] = []
    for name in names:
        if name in declared:
            wanted += paired_runs.both_series(project, declared[name], looks[name])
        elif name in project.all_experiments:
            of_experiment = Series(name, resolve(project, name, {}), project.runtime, splits)
            wanted.append((of_experiment, seeds or DEFAULT_SEEDS))
        else:
            raise ModelyardError(
                f"no such experiment or claim: {name}; {suggest(name, [*project.all_experiments, *declared])}"
            )
    return wanted


def run_missing(
    jobs: Sequence[Job], kept: int, engine: Engine, seconds: float, console: Console, work: Work = train_and_evaluate
) -> int:
    """Run jobs and print each result; returns the exit code: 1 if one has failed, 130 after Ctrl-C.

    At once it prints how many there are beside those that are `kept`: outside a terminal, nothing else shows that it
    runs before the first one has ended, which may take long.
    """
    if not seconds:
        _print_left(len(jobs), len(jobs), console)
        return 0
    console.print(f"Runs to do: {len(jobs)}; kept from before: {kept}.", style="dim", highlight=False)
    datasets: set[str] = set().union(*(job.datasets for job in jobs))
    missing = failures(run_stages([f"fetch@{name}" for name in sorted(datasets)], console))
    for stage, reason in missing.items():
        text = Text.assemble((f"{stage} failed", "bold yellow"), f"; runs that need it are skipped. {reason}")
        console.print(text, soft_wrap=True)  # addresses to be copied
    jobs = [job for job in jobs if not {f"fetch@{name}" for name in job.datasets} & missing.keys()]
    with (
        RunDisplay(console, len(jobs), seconds) as display,
        closing(run_jobs(jobs, RAW, engine, seconds, work)) as events,
    ):
        try:
            for event in events:
                display.show(event)
        except KeyboardInterrupt:
            console.print("Stopped. Finished runs are kept; run again to continue.")
            return INTERRUPTED
    if left := len(jobs) - display.ended:
        console.print("The time of --minutes is over: no run begins any more.", highlight=False)
        _print_left(left, len(jobs), console)
    return int(bool(display.failed or missing))


def _print_left(left: int, total: int, console: Console) -> None:
    console.print(f"{left} of {total} runs are left; run again to continue.", highlight=False)


def _refuse_options(
    declared: Mapping[str, ClaimSettings], chosen: Sequence[str], seeds: int | None, splits: bool
) -> None:
    """Refuse options that a claim's plan leaves no room for.

    Raises:
        ModelyardError: one was given.
    """
    named = [name for name in chosen if name in declared]
    planned = [name for name in named if declared[name].second_look]
    if seeds and planned:
        raise ModelyardError(
            f"--seeds: {', '.join(planned)} plans two looks, after each of which the test has its share of the error. "
            "Leave --seeds out, or change `seeds` and `second_look` in claims.yaml."
        )
    if seeds and (fewer := [f"{name} plans {declared[name].seeds}" for name in named if seeds < declared[name].seeds]):
        raise ModelyardError(
            f"--seeds {seeds}: {', '.join(fewer)}, and a test before that would be another look. Give more, leave "
            "--seeds out, or change `seeds` in claims.yaml."
        )
    if splits and len(named) == len(chosen):
        raise ModelyardError("--splits is for experiments; a claim has `splits` in claims.yaml.")


def _report(
    project: Project, results: Mapping[str, ClaimResult], looks: Mapping[str, int], folder: Path, console: Console
) -> None:
    """Write and print the results of the runs kept in `folder`; reported results of other runs stay in the reports."""
    summary = series.summarize(project, params.load_published(project), folder)
    write_table(SEEDS_TABLE, series.with_earlier_rows(summary, SEEDS_TABLE, project))
    write_json(CLAIMS, claims.as_json(results))
    write_text(REPORTS / "claims.md", claims.markdown(results))
    if len(summary):
        console.print(_summary_table(summary))
    tested = {name: result for name, result in results.items() if len(result.pairs.first) and not result.pairs.origin}
    if tested:
        console.print(_claim_table(tested))
    if unfinished := [name for name in looks if results[name].pairs.origin]:
        text = "Not enough seeds yet, so that the reports keep the earlier runs"
        console.print(f"{text}: {', '.join(unfinished)}.", highlight=False)
    if not_run := [name for name, result in results.items() if result.verdict is Verdict.NOT_RUN]:
        console.print(f"Claims not run: {', '.join(sorted(not_run))}.", highlight=False)
    console.print("Written: reports/replication.csv, reports/claims.json, reports/claims.md", highlight=False)


def _assess(
    project: Project, declared: Mapping[str, ClaimSettings], folder: Path, seeds: Mapping[str, int | None]
) -> dict[str, ClaimResult]:
    """The verdicts by the runs kept in `folder`; by those of reports/claims.json until there are as many as planned.

    `seeds` is the number of seeds by claim; None or absent: the number that the claim states.
    """
    reported, pairs = _reported(), {}
    for name, claim in declared.items():
        pairs[name] = paired_runs.paired_runs(project, claim, folder, seeds.get(name))
        if name in reported and len(pairs[name]) < (seeds.get(name) or claim.seeds):
            earlier = _reported_runs(project, claim, reported[name], pairs[name])
            pairs[name] = max(pairs[name], earlier, key=len)
    return claims.assess(declared, pairs, seeds)


def _is_between_looks(result: ClaimResult) -> bool:
    """Whether the first look has not settled it, and the second is still to come."""
    return result.next_look is not None and len(result.pairs) >= result.claim.seeds and bool(result.claim.second_look)


def _reported() -> dict[str, Any]:
    """The entries of reports/claims.json by claim; none if there is no such file, or it is not readable."""
    try:
        return dict(read_json(CLAIMS)["claims"]) if CLAIMS.exists() else {}
    except (KeyError, ModelyardError, TypeError, ValueError) as error:
        print(f"warning: {CLAIMS} is not readable and is written again ({error})", file=sys.stderr)  # noqa: T201
        return {}


def _reported_runs(project: Project, claim: ClaimSettings, entry: Any, otherwise: PairedRuns) -> PairedRuns:
    try:
        runs = paired_runs.reported_runs(project, claim, entry)
    except (AttributeError, KeyError, TypeError, ValueError):  # an entry of another version: its runs are not known
        return otherwise
    if entry.get("pairs") and not len(runs):
        text = f"warning: {CLAIMS} has runs of another comparison of {claim.says!r}; they are left out"
        print(text, file=sys.stderr)  # noqa: T201
    return runs


def _summary_table(summary: "pd.DataFrame") -> Table:
    """The headline metric of each experiment, and the metrics that have a published value."""
    table = Table("experiment", "mean over seeds (95 % interval)", title="Over seeds", box=SIMPLE_HEAD, pad_edge=False)
    is_first = ~summary.duplicated(["experiment", "splits"])
    row: Any  # pandas types a cell as the union of all it could be
    for row in summary[is_first | summary.published.notna()].itertuples():
        name = row.experiment + ("\non new splits" if row.splits else "")
        mean, spread = f"{row.metric} {row.mean:.4g}, 1 seed", ""
        if row.seeds > 1:
            mean = f"{row.metric} {row.mean:.4g} ({row.low:.4g} to {row.high:.4g}), {row.seeds} seeds"
            spread = f"sd {row.sd:.2g}"
        published = f"published {text}" if (text := series.published_text(row)) else ""
        table.add_row(name, "\n".join(filter(None, [mean, "; ".join(filter(None, [spread, published]))])))
    return table


def _claim_table(results: Mapping[str, ClaimResult]) -> Table:
    table = Table("claim", "difference (95 % interval)", "verdict", title="Claims", box=SIMPLE_HEAD, pad_edge=False)
    for name, result in results.items():
        table.add_row(name, f"{result.text}\n{len(result.pairs.first)} seeds", result.verdict)
    return table
