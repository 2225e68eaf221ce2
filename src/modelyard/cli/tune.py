"""`modelyard tune`: a search for better values, told as it goes."""

import os
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
from modelyard.cli.prerequisites import brought
from modelyard.core.config import suggest
from modelyard.core.errors import ModelyardError
from modelyard.orchestration.scheduler import SUCCEEDED
from modelyard.params.project import Project
from modelyard.params.study import StudySettings

if TYPE_CHECKING:
    import optuna

    from modelyard.tuning.search import WorkerProcess
    from modelyard.tuning.worker import TrialFinished

LOG_LINES = 12


@dataclass(frozen=True)
class Options:
    """What a person asks of a search besides its name; None takes what params.yaml or the machine says."""

    trials: int | None = None
    seconds: float | None = None
    workers: int | None = None
    storage: str | None = None
    join: bool = False
    new: bool = False


def search_on(name: str, options: Options) -> int:
    """Search until the budget is used up or Ctrl-C, then write the report and the diary; returns the exit code.

    Raises:
        ModelyardError: params.yaml, the name, the storage or the study in it is not right; then no trial was run.
    """
    console, project = Console(), params.load()
    handle_termination_as_ctrl_c()
    study = _known(project, name)
    # Optuna takes a second: a wrong name is told without it.
    from modelyard.tuning import plan, search, storage

    workers = options.workers or max(1, _cores() // project.runtime.threads)
    made = plan.make_plan(project, name, max(1, _cores() // workers), Path.cwd())
    place = storage.find_storage(name, options.storage, Path.cwd())
    budget = search.Budget(options.trials or study.trials, options.seconds or study.seconds)
    found = storage.open_study(made, place, options.new, options.join)
    bring_up_to_date(console, [f"normalise@{each}" for each in made.inputs])
    try:
        with Board(console, found) as board:
            search.Search(found, place, made, board.show).run(workers, budget, options.join)
    except KeyboardInterrupt:
        console.print(f"\nStopped. What is finished is kept; run again to go on: modelyard tune {name}")
        return 130
    finally:  # also of a search that was stopped, or stopped itself: what is there is told
        with place.explain_errors():
            _write_up(console, found)
    return 0


def show_trials(name: str, address: str | None) -> None:
    """Print the trials of the latest study of a name."""
    from modelyard.tuning import terminal_table

    Console().print(terminal_table.trials_table(_begun(name, address)))


def write_winner(name: str, address: str | None, replace: bool) -> None:
    """Write the winner of the latest study of a name into params.yaml."""
    from modelyard.tuning import apply

    written = apply.apply(_begun(name, address), Path("params.yaml"), replace)
    Console().print(f"params.yaml has {written} now. Next: modelyard run {written}", highlight=False)


def bring_up_to_date(console: Console, stages: Sequence[str]) -> None:
    """Run these stages and what they need, where they are not up to date.

    Raises:
        ModelyardError: one of them failed.
    """
    for stage in brought(stages, console, _cores()).values():
        if stage.state not in SUCCEEDED:
            told = "\n".join(stage.last_lines(LOG_LINES)) or stage.reason
            raise ModelyardError(f"{stage.name} {stage.state}, and no trial was run. The end of {stage.log}:\n{told}")


class Board:
    """One live line for each worker, and one that stays for each trial that has ended."""

    def __init__(self, console: Console, study: "optuna.Study") -> None:
        self._console, self._study = console, study
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> "Board":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, workers: Sequence["WorkerProcess"], ended: Sequence["TrialFinished"]) -> None:
        """Bring the lines up to date."""
        for trial in ended:
            self._console.print(self._line(trial), soft_wrap=True)
        if self._console.is_terminal:
            self._live.update(Group(*(_work(each) for each in workers)), refresh=True)

    def _line(self, ended: "TrialFinished") -> Text:
        mark, style = {"COMPLETE": ("✓", "green"), "PRUNED": ("✂", "yellow")}.get(ended.state, ("✗", "bold red"))
        line = Text(f"{mark} ", style=style, no_wrap=True, overflow="ellipsis")
        if ended.number < 0:  # its worker died before it had begun
            return line.append(ended.reason, style="default")
        trial = self._study.get_trials(deepcopy=False)[ended.number]
        seconds = trial.user_attrs.get("seconds")
        line.append(f"trial {trial.number:3} ", style="default")
        line.append(f"{seconds:6.1f} s  " if seconds is not None else "", style="dim")
        line.append(f"{ended.score:.4g}  " if ended.score is not None else "", style="bold")
        line.append(f"{ended.reason}  " if ended.reason else "", style="red")
        return line.append("  ".join(f"{key} {_short(value)}" for key, value in trial.params.items()), style="dim")


def _work(worker: "WorkerProcess") -> Text:
    line = Text("… ", style="cyan", no_wrap=True, overflow="ellipsis")
    if worker.state != "busy" or worker.number is None:
        return line.append(f"worker {worker.process.pid} {worker.state}", style="dim")
    done, most, score = worker.progress
    line.append(f"trial {worker.number:3} ", style="default")
    line.append(f"{time.monotonic() - worker.started:6.1f} s  ", style="dim")
    return line.append(f"epoch {done}/{most}  {score:.4g}" if done else "", style="dim")


def _known(project: Project, name: str) -> StudySettings:
    if name not in project.studies:
        raise ModelyardError(f"no such study: {name}; {suggest(name, project.studies)}")
    return project.studies[name]


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _begun(name: str, address: str | None) -> "optuna.Study":
    """The latest study of a name, as it is."""
    _known(params.load(), name)
    from modelyard.tuning import storage

    return storage.load_latest_study(name, storage.find_storage(name, address, Path.cwd()))


def _write_up(console: Console, study: "optuna.Study") -> None:
    """Tell the best trial, leave the report in its folder and the trials in the diary; nothing where none has ended."""
    from modelyard.tuning import mlflow_log, report, results

    found = results.read_study(study)
    if not (found.finished or found.pruned or found.failed):
        return
    folder = Path("reports") / "tuning" / found.name
    with FileLock(Path(".modelyard") / "studies" / f"{found.name}.report.lock"):  # searches of one folder end together
        report.write(study, folder)
    mlflow_log.write(study, folder)
    if found.best is None:
        console.print(f"\nNo trial has come to its end. See {folder / 'report.md'}.", highlight=False)
        return
    told = f"\nBest {found.metric}: {found.best.value:.4g}, in trial {found.best.number}"
    present = f"; the experiment as it is has {found.baseline.value:.4g}" if found.baseline else ""
    console.print(f"{told}{present}. See {folder / 'report.md'}.", highlight=False)
    for key, value in found.best.params.items():
        console.print(f"  {key}: {_short(value)}", highlight=False)
    console.print(f"Next: modelyard tune {found.entry} --apply", highlight=False)


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
