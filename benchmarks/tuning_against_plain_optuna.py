"""Compares `modelyard tune` with plain Optuna: same search space, data, networks and score of a trial.

    .venv/bin/python -m benchmarks.tuning_against_plain_optuna

Plain Optuna is one process that calls `study.optimize` with one thread per core, its default sampler and no pruning.
Modelyard uses one process per core, once without pruning and once with the settings of params.yaml. Every search starts
new processes, and its seconds include their start. Both search with several seeds; the order of the methods rotates
with the seed.
"""

import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import optuna
import typer
from optuna.trial import FrozenTrial, TrialState

from modelyard import params
from modelyard.core.config import with_changes
from modelyard.core.errors import exit_on_error
from modelyard.core.files import write_text
from modelyard.core.report_text import markdown_table
from modelyard.data import inputs, readers
from modelyard.orchestration.local_engine import LocalEngine
from modelyard.params.project import Project
from modelyard.params.study import Range, baseline_values, storage_label
from modelyard.tuning.objective import Objective
from modelyard.tuning.plan import Plan, make_plan
from modelyard.tuning.results import epochs_run
from modelyard.tuning.search import Budget, Search
from modelyard.tuning.storage import StudyStorage, open_study

STUDY = "digits_cnn"
FIRST_EPOCHS = 10  # epochs of trial 0; few, so that five seeds take minutes
EPOCHS = Range(low=5, high=15, step=5)
CORES = len(os.sched_getaffinity(0))
PLAIN, PROCESSES, PRUNING = "plain Optuna, threads", "modelyard, no pruning", "modelyard, with pruning"


@dataclass(frozen=True)
class SearchRun:
    """Start, duration and trials of one search."""

    started: datetime
    seconds: float
    trials: list[FrozenTrial]

    @property
    def finished(self) -> list[FrozenTrial]:
        """The trials that were neither pruned nor failed."""
        return [trial for trial in self.trials if trial.state is TrialState.COMPLETE]

    @property
    def best(self) -> float:
        """The best score."""
        return max(trial.value for trial in self.finished)

    @property
    def epochs(self) -> int:
        """The number of epochs trained by all trials."""
        return sum(map(epochs_run, self.trials))

    def seconds_to(self, score: float) -> float:
        """Seconds from the start to the end of the first trial with at least this score."""
        ends = [trial.datetime_complete for trial in self.finished if trial.value >= score]
        return (min(ends) - self.started).total_seconds()


def optimize_with_optuna(plan: Plan, trials: int) -> list[FrozenTrial]:
    """Run plain Optuna with data loaded once."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.TPESampler(seed=plan.study.seed)
    study = optuna.create_study(direction=plan.direction, sampler=sampler, pruner=optuna.pruners.NopPruner())
    study.enqueue_trial(
        {key: storage_label(value) for key, value in baseline_values(plan.study, plan.experiment).items()}
    )
    study.optimize(Objective(plan, lambda *_: None), n_trials=trials, n_jobs=CORES)
    return study.trials


def in_threads(plan: Plan, trials: int) -> list[FrozenTrial]:
    """Run plain Optuna in a new process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(optimize_with_optuna, plan, trials).result()


def in_processes(plan: Plan, trials: int) -> list[FrozenTrial]:
    """Run what `modelyard tune` does between reading params.yaml and writing its report."""
    with TemporaryDirectory() as folder:
        storage = StudyStorage(str(Path(folder) / "search.journal"))
        study = open_study(plan, storage)
        with closing(LocalEngine(CORES)) as engine:
            Search(study, storage, plan, lambda *_: None).run(engine, Budget(trials))
        return study.trials


METHODS: dict[str, tuple[Callable[[Plan, int], list[FrozenTrial]], str | None]] = {  # function, pruner
    PLAIN: (in_threads, "none"),
    PROCESSES: (in_processes, "none"),
    PRUNING: (in_processes, None),
}


def main(
    seeds: Annotated[int, typer.Option(min=1)] = 5,
    trials: Annotated[int, typer.Option(min=2, help="Number of trials of each search.")] = 10,
    output: Path = Path("benchmarks/results/tuning.md"),
) -> None:
    """Run each method with each seed, and write the tables."""
    with TemporaryDirectory() as folder:
        project = shortened(params.load(), Path(folder))
        runs = {}
        for seed in range(seeds):
            for method in rotated(list(METHODS), seed):
                run = runs[seed, method] = run_search(method, project, seed, trials, Path(folder))
                typer.echo(f"seed {seed}  {method:23} {run.seconds:6.1f} s  best {run.best:.4f}  {run.epochs} epochs")
    write_text(output, page(runs, seeds, trials))
    typer.echo(f"Wrote {output}")


def shortened(project: Project, folder: Path) -> Project:
    """Return the project with fewer epochs in the study; writes the prepared input into `folder`, as normalise does."""
    study = project.studies[STUDY]
    experiment = with_changes(project.experiments[study.experiment], {"training.epochs": FIRST_EPOCHS})
    entry = project.inputs[experiment.input]
    dataset = project.datasets[entry.dataset]
    project.files_of(entry.dataset, Path.cwd()).fetch(folder / "raw")
    prepared, _ = inputs.prepare(readers.read(dataset, folder / "raw"), dataset.task, entry)
    inputs.save_training(prepared, folder / "data" / "inputs" / experiment.input / "training")
    study = study.model_copy(update={"search_space": study.search_space | {"training.epochs": EPOCHS}})
    experiments = project.experiments | {study.experiment: experiment}
    return project.model_copy(update={"experiments": experiments, "studies": {STUDY: study}})


def rotated(methods: list[str], by: int) -> list[str]:
    """Move the first `by` methods to the end."""
    start = by % len(methods)
    return methods[start:] + methods[:start]


def run_search(method: str, project: Project, seed: int, trials: int, folder: Path) -> SearchRun:
    """Run and time one search."""
    run, pruner = METHODS[method]
    study = project.studies[STUDY].model_copy(update={"seed": seed, "pruner": pruner})
    plan = make_plan(project.model_copy(update={"studies": {STUDY: study}}), STUDY, folder)
    started, clock = datetime.now(), time.monotonic()
    finished_trials = run(plan, trials)
    return SearchRun(started, time.monotonic() - clock, finished_trials)


def page(runs: dict[tuple[int, str], SearchRun], seeds: int, trials: int) -> str:
    """The results as a Markdown page."""
    head = ["", "seconds", "best val_accuracy", "seconds to a score that all reach", "epochs", "pruned", "failed"]
    medians = [[method, *columns(method, runs, range(seeds))] for method in METHODS]
    single = [[f"{name}, seed {seed}", *columns(name, runs, [seed])] for seed in range(seeds) for name in METHODS]
    parts = [
        "# modelyard tune compared with plain Optuna",
        f"`benchmarks/tuning_against_plain_optuna.py --seeds {seeds} --trials {trials}` on {CORES} cores: study "
        f"`{STUDY}` with {EPOCHS.low} to {EPOCHS.high} epochs, {trials} trials a search, medians over {seeds} seeds. "
        "Seconds are wall time, including the start of the processes, each of which imports TensorFlow. The score that "
        "all reach is, for each seed, the best score of the worst method.",
        markdown_table(head, medians),
        f"Seconds of plain Optuna divided by those of modelyard, median over the seeds: "
        f"{ratio(runs, seeds, PROCESSES):.2f} without pruning, {ratio(runs, seeds, PRUNING):.2f} with pruning.",
        "## Each seed",
        markdown_table(head, single),
    ]
    return "\n\n".join(parts) + "\n"


def columns(method: str, runs: dict[tuple[int, str], SearchRun], seeds: Sequence[int]) -> list[str]:
    """Medians over seeds, in the order of the table's columns."""
    rows = []
    for seed in seeds:
        one = runs[seed, method]
        reached = min(runs[seed, other].best for other in METHODS)
        states = [trial.state for trial in one.trials]
        counts = [states.count(state) for state in (TrialState.PRUNED, TrialState.FAIL)]
        rows.append([one.seconds, one.best, one.seconds_to(reached), one.epochs, *counts])
    return [f"{statistics.median(column):.4g}" for column in zip(*rows, strict=True)]


def ratio(runs: dict[tuple[int, str], SearchRun], seeds: int, method: str) -> float:
    """Median over seeds of plain Optuna's seconds divided by those of a method."""
    return statistics.median(runs[seed, PLAIN].seconds / runs[seed, method].seconds for seed in range(seeds))


if __name__ == "__main__":
    with exit_on_error():
        typer.run(main)
