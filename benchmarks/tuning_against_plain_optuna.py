"""A search by `modelyard tune` beside plain Optuna: one space, one sampler, the same rows and networks, over seeds.

    .venv/bin/python benchmarks/tuning_against_plain_optuna.py

Plain Optuna is one process that calls `study.optimize` with a thread for each core and gives no trial up. Ours is a
process for each core, once without pruning and once as shipped. Every search begins in fresh processes, so that its
seconds hold their start. The order of the ways changes with the seed, for whoever runs first or last.
"""

import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import optuna
import typer
from optuna.trial import FrozenTrial, TrialState

from modelyard import params
from modelyard.core.config import changed
from modelyard.core.errors import explained
from modelyard.core.files import write_text
from modelyard.core.markdown import markdown_table
from modelyard.data import inputs, readers
from modelyard.params.project import Project
from modelyard.params.study import Range, baseline_values, storage_label
from modelyard.tuning import opening, plan, search
from modelyard.tuning.objective import Objective
from modelyard.tuning.plan import Plan
from modelyard.tuning.results import epochs_run
from modelyard.tuning.storage import Place

STUDY = "digits_cnn"
SHORT = 10  # epochs of trial 0, so that five seeds take minutes
EPOCHS = Range(low=5, high=15, step=5)
CORES = len(os.sched_getaffinity(0))
PLAIN, PROCESSES, SHIPPED = "plain Optuna, threads", "modelyard, no pruning", "modelyard, as shipped"


@dataclass(frozen=True)
class Searched:
    """One search: when it began, how long it took, and its trials."""

    began: datetime
    seconds: float
    trials: list[FrozenTrial]

    @property
    def finished(self) -> list[FrozenTrial]:
        return [trial for trial in self.trials if trial.state is TrialState.COMPLETE]

    @property
    def best(self) -> float:
        return max(trial.value for trial in self.finished)

    @property
    def epochs(self) -> int:
        return sum(map(epochs_run, self.trials))

    def seconds_to(self, score: float) -> float:
        """From the beginning to the end of the first trial that is as good as this."""
        ends = [trial.datetime_complete for trial in self.finished if trial.value >= score]
        return (min(ends) - self.began).total_seconds()


def plain(made: Plan, trials: int) -> list[FrozenTrial]:
    """What a script around Optuna does, its interpreter warm and its rows read once."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.TPESampler(seed=made.study.seed)
    study = optuna.create_study(direction=made.direction, sampler=sampler, pruner=optuna.pruners.NopPruner())
    study.enqueue_trial(
        {key: storage_label(value) for key, value in baseline_values(made.study, made.experiment).items()}
    )
    study.optimize(Objective(made, lambda *figures: None), n_trials=trials, n_jobs=CORES)
    return study.trials


def in_threads(made: Plan, trials: int) -> list[FrozenTrial]:
    """Plain Optuna in a process of its own, as whoever starts the script has it."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(plain, made, trials).result()


def in_processes(made: Plan, trials: int) -> list[FrozenTrial]:
    """What `modelyard tune` does between reading params.yaml and writing its report."""
    with TemporaryDirectory() as folder:
        place = Place(str(Path(folder) / "search.journal"))
        study = opening.take_up(made, place)
        search.Search(study, place, made, lambda workers, ended: None).run(CORES, search.Budget(trials))
        return study.trials


WAYS: dict[str, tuple[Callable[[Plan, int], list[FrozenTrial]], str, int]] = {  # and the pruner, threads of a training
    PLAIN: (in_threads, "none", CORES),
    PROCESSES: (in_processes, "none", 1),
    SHIPPED: (in_processes, "median", 1),
}


def main(
    seeds: Annotated[int, typer.Option(min=1)] = 5,
    trials: Annotated[int, typer.Option(min=2, help="Of each search.")] = 10,
    output: Path = Path("benchmarks/results/tuning.md"),
) -> None:
    """Search with each way and seed, and write the table of both."""
    with TemporaryDirectory() as folder:
        project = shortened(params.load(), Path(folder))
        found = {}
        for seed in range(seeds):
            for way in rotated(list(WAYS), seed):
                found[seed, way] = searched(way, project, seed, trials, Path(folder))
                done = found[seed, way]
                typer.echo(f"seed {seed}  {way:23} {done.seconds:6.1f} s  best {done.best:.4f}  {done.epochs} epochs")
    write_text(output, page(found, seeds, trials))
    typer.echo(f"Written: {output}")


def shortened(project: Project, folder: Path) -> Project:
    """The study with fewer epochs, and its rows in a folder as the stage normalise leaves them."""
    study = project.studies[STUDY]
    experiment = changed(project.experiments[study.experiment], {"training.epochs": SHORT})
    entry = project.inputs[experiment.input]
    dataset = project.datasets[entry.dataset]
    project.files_of(entry.dataset, Path.cwd()).fetch(folder / "raw")
    rows, _ = inputs.prepare(readers.read(dataset, folder / "raw"), dataset.task, entry)
    inputs.save_training(rows, folder / "data" / "inputs" / experiment.input / "training")
    study = study.model_copy(update={"vary": study.vary | {"training.epochs": EPOCHS}})
    experiments = project.experiments | {study.experiment: experiment}
    return project.model_copy(update={"experiments": experiments, "studies": {STUDY: study}})


def rotated(ways: list[str], by: int) -> list[str]:
    start = by % len(ways)
    return ways[start:] + ways[:start]


def searched(way: str, project: Project, seed: int, trials: int, folder: Path) -> Searched:
    """One search, timed from outside."""
    run, pruner, threads = WAYS[way]
    study = project.studies[STUDY].model_copy(update={"seed": seed, "pruner": pruner})
    made = plan.make(project.model_copy(update={"studies": {STUDY: study}}), STUDY, threads, folder)
    began, clock = datetime.now(), time.monotonic()
    ended = run(made, trials)
    return Searched(began, time.monotonic() - clock, ended)


def page(found: dict[tuple[int, str], Searched], seeds: int, trials: int) -> str:
    """The result as Markdown."""
    head = ["", "seconds", "best val_accuracy", "seconds to a score that all reach", "epochs", "given up", "failed"]
    medians = [[way, *map(told, columns(way, found, range(seeds)))] for way in WAYS]
    each = [[f"{way}, seed {seed}", *map(told, columns(way, found, [seed]))] for seed in range(seeds) for way in WAYS]
    parts = [
        "# A search by modelyard beside plain Optuna",
        f"`benchmarks/tuning_against_plain_optuna.py --seeds {seeds} --trials {trials}` on {CORES} cores: study "
        f"`{STUDY}` with {EPOCHS.low} to {EPOCHS.high} epochs, {trials} trials a search, medians over {seeds} seeds. "
        "Seconds are those of the clock and hold the start of the processes, each of which imports TensorFlow. The "
        "score that all reach is, for each seed, the best of the way that did worst.",
        markdown_table(head, medians),
        f"Median over the seeds of plain Optuna's seconds by ours: {ratio(found, seeds, PROCESSES):.2f} with processes "
        f"alone, {ratio(found, seeds, SHIPPED):.2f} with pruning as well.",
        "## Each seed",
        markdown_table(head, each),
    ]
    return "\n\n".join(parts) + "\n"


def columns(way: str, found: dict[tuple[int, str], Searched], seeds: Sequence[int]) -> list[float]:
    """The medians over seeds of what the table tells of a way."""
    rows = []
    for seed in seeds:
        one = found[seed, way]
        reached = min(found[seed, other].best for other in WAYS)
        states = [trial.state for trial in one.trials]
        counts = [states.count(state) for state in (TrialState.PRUNED, TrialState.FAIL)]
        rows.append([one.seconds, one.best, one.seconds_to(reached), one.epochs, *counts])
    return [statistics.median(column) for column in zip(*rows, strict=True)]


def ratio(found: dict[tuple[int, str], Searched], seeds: int, way: str) -> float:
    return statistics.median(found[seed, PLAIN].seconds / found[seed, way].seconds for seed in range(seeds))


def told(figure: float) -> str:
    return f"{figure:.4g}"


if __name__ == "__main__":
    with explained():
        typer.run(main)
