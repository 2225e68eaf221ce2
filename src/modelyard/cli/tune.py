"""`modelyard tune`: run, show and apply a study."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from modelyard import params
from modelyard.cli.interrupts import handle_termination_as_ctrl_c
from modelyard.cli.prerequisites import require_stages
from modelyard.core.config import suggest
from modelyard.core.errors import ModelyardError
from modelyard.core.processes import core_count
from modelyard.params.project import Project
from modelyard.params.study import StudySettings

if TYPE_CHECKING:
    import optuna

    from modelyard.tuning.search import WorkerProcess
    from modelyard.tuning.worker import TrialFinished

REPORTS = Path("reports/tuning")


@dataclass(frozen=True)
class Options:
    """Options of a search; None: the value of params.yaml, or a default that depends on this machine."""

    trials: int | None = None
    timeout: float | None = None
    workers: int | None = None
    storage: str | None = None
    join: bool = False
    new: bool = False


def search(name: str, options: Options) -> int:
    """Run trials until the budget is used up or Ctrl-C, then write the report and MLflow runs; returns the exit code.

    Raises:
        ModelyardError: params.yaml, the name, the storage or the stored study is wrong; no trial was run.
    """
    console, project = Console(), params.load()
    handle_termination_as_ctrl_c()
    settings = _study_settings(project, name)  # first: importing Optuna, below, takes a second
    from modelyard.tuning import plan, storage
    from modelyard.tuning.search import Budget, Search, check_folds

    workers = options.workers or core_count()
    search_plan = plan.make_plan(project, name, Path.cwd())
    location = storage.find_storage(name, options.storage, Path.cwd())
    budget = Budget(options.trials or settings.n_trials, options.timeout or settings.timeout)
    study = storage.open_study(search_plan, location, options.new, options.join)
    require_stages([f"normalise@{input_name}" for input_name in search_plan.inputs], console, core_count())
    check_folds(search_plan)
    try:
        with TrialDisplay(console, study) as display:
            Search(study, location, search_plan, display.show).run(workers, budget, options.join)
    except KeyboardInterrupt:
        console.print(f"\nStopped. Finished trials are kept; run again to continue: modelyard tune {name}")
        return 130
    finally:  # also after a search that was interrupted or has failed
        with location.explain_errors():
            _write_results(console, study)
    return 0


def show_trials(name: str, address: str | None) -> None:
    """Print the trials of the latest study of this name."""
    from modelyard.tuning import terminal_table

    Console().print(terminal_table.trials_table(_latest(name, address)))


def apply_best(name: str, address: str | None, replace: bool) -> None:
    """Write the best trial of the latest study of this name into params.yaml."""
    from modelyard.tuning import apply

    written = apply.apply(_latest(name, address), Path("params.yaml"), replace)
    Console().print(f"params.yaml now has {written}. Next: modelyard run {written}", highlight=False)


class TrialDisplay:
    """Shows a search while it runs: a line for each trial that has ended, and live lines of the workers."""

    def __init__(self, console: Console, study: "optuna.Study") -> None:
        self._console, self._study = console, study
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> "TrialDisplay":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, workers: Sequence["WorkerProcess"], ended: Sequence["TrialFinished"]) -> None:
        """Print trials that have just ended, and update the live lines."""
        for trial in ended:
            self._console.print(self._trial_line(trial), soft_wrap=True)
        if self._console.is_terminal:
            self._live.update(Group(*map(_worker_line, workers)), refresh=True)

    def _trial_line(self, ended: "TrialFinished") -> Text:
        mark, style = {"COMPLETE": ("✓", "green"), "PRUNED": ("✂", "yellow")}.get(ended.state, ("✗", "bold red"))
        line = Text(f"{mark} ", style=style, no_wrap=True, overflow="ellipsis")
        if ended.number < 0:  # its worker died before the trial started
            return line.append(ended.reason, style="default")
        trial = self._study.get_trials(deepcopy=False)[ended.number]
        seconds = trial.user_attrs.get("seconds")
        line.append(f"trial {trial.number:3} ", style="default")
        line.append(f"{seconds:6.1f} s  " if seconds is not None else "", style="dim")
        line.append(f"{ended.score:.4g}  " if ended.score is not None else "", style="bold")
        line.append(f"{ended.reason}  " if ended.reason else "", style="red")
        return line.append("  ".join(f"{key} {_format(value)}" for key, value in trial.params.items()), style="dim")


def _worker_line(worker: "WorkerProcess") -> Text:
    line = Text("… ", style="cyan", no_wrap=True, overflow="ellipsis")
    if worker.state != "busy" or worker.number is None:
        return line.append(f"worker {worker.process.pid} {worker.state}", style="dim")
    done, most, score = worker.progress
    line.append(f"trial {worker.number:3} ", style="default")
    line.append(f"{time.monotonic() - worker.started:6.1f} s  ", style="dim")
    return line.append(f"epoch {done}/{most}  {score:.4g}" if done else "", style="dim")


def _study_settings(project: Project, name: str) -> StudySettings:
    if name not in project.studies:
        raise ModelyardError(f"no such study: {name}; {suggest(name, project.studies)}")
    return project.studies[name]


def _latest(name: str, address: str | None) -> "optuna.Study":
    """The latest stored study of this name."""
    _study_settings(params.load(), name)  # first, to refuse a wrong name
    from modelyard.tuning import storage

    return storage.load_latest_study(name, storage.find_storage(name, address, Path.cwd()))


def _write_results(console: Console, study: "optuna.Study") -> None:
    """Write the report and the MLflow runs, and print the best trial; does nothing if no trial has ended."""
    from modelyard.tuning import mlflow_log, report, results

    found = results.read_study(study)
    if not (found.finished or found.pruned or found.failed):
        return
    folder = REPORTS / found.name
    lock = Path(".modelyard") / "studies" / f"{found.name}.report.lock"
    with FileLock(lock):  # two searches in this folder can end at the same time
        report.write(study, folder)
    mlflow_log.write(study, folder)
    if found.best is None:
        console.print(f"\nNo trial was completed. See {folder / 'report.md'}.", highlight=False)
        return
    best = f"\nBest {found.metric}: {found.best.value:.4g} in trial {found.best.number}"
    baseline = f"; baseline {found.baseline.value:.4g}" if found.baseline else ""
    console.print(f"{best}{baseline}. See {folder / 'report.md'}.", highlight=False)
    for key, value in found.best.params.items():
        console.print(f"  {key}: {_format(value)}", highlight=False)
    console.print(f"Next: modelyard tune {found.entry} --apply", highlight=False)


def _format(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
