"""`modelyard tune`: run, show, confirm and apply a study."""

from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock
from rich.console import Console

from modelyard import params
from modelyard.cli.engines import LOCAL, open_engine
from modelyard.cli.interrupts import INTERRUPTED, handle_termination_as_ctrl_c
from modelyard.cli.prerequisites import require_stages
from modelyard.core.config import suggest
from modelyard.core.errors import ModelyardError
from modelyard.core.processes import core_count
from modelyard.orchestration.engine import EngineOptions
from modelyard.params.project import Project
from modelyard.params.study import EPOCHS, StudySettings
from modelyard.tracking import project_root

if TYPE_CHECKING:
    import optuna

    from modelyard.tuning.plan import Plan
    from modelyard.tuning.results import StudyResults
    from modelyard.tuning.storage import StudyStorage

REPORTS = Path("reports/tuning")


@dataclass(frozen=True)
class Options:
    """Options of a search; None: the value of params.yaml, or a default that depends on this machine."""

    trials: int | None = None
    timeout: float | None = None
    engine: EngineOptions = LOCAL
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
    from modelyard.tuning.search import Budget, Search, check_folds, study_log
    from modelyard.tuning.search_lock import only_search
    from modelyard.tuning.trial_display import TrialDisplay
    from modelyard.tuning.warm_start import enqueue_best, find_earlier

    search_plan = plan.make_plan(project, name, Path.cwd())
    location = storage.find_storage(name, options.storage, Path.cwd())
    budget = Budget(options.trials or settings.n_trials, options.timeout or settings.timeout)
    found = storage.find_study(search_plan, location, options.new, options.join)
    require_stages([f"normalise@{input_name}" for input_name in search_plan.inputs], console, core_count())
    check_folds(search_plan)
    earlier = None if options.join else find_earlier(found, search_plan, location)
    study_name = found.study_name if found else storage.new_study_name(name, location)
    with nullcontext() if options.join else only_search(study_name, Path.cwd()), ExitStack() as opened:
        engine = opened.enter_context(open_engine(options.engine, console, log=study_log(study_name, Path.cwd())))
        # After all checks: an empty study would hide the one before it from --show, --confirm and --apply.
        study = storage.open_study(search_plan, location, options.new, options.join, bool(options.engine.scheduler))
        console.print(f"Pruner: {search_plan.pruner}.{_epochs_note(search_plan)}", style="dim", highlight=False)
        with location.explain_errors():
            enqueued = enqueue_best(study, search_plan, earlier) if earlier else []
        if enqueued:
            console.print(f"After the baseline: the best of {'; '.join(enqueued)}.", style="dim", highlight=False)
        try:
            with opened, TrialDisplay(console, study, budget) as display:  # the engine ends before the report
                searching = Search(study, location, search_plan, display.show)
                searching.run(engine, budget, options.join)
            if searching.has_stagnated:
                console.print(_stagnation_note(name, settings), highlight=False)
        except KeyboardInterrupt:
            console.print(f"\nStopped. Finished trials are kept; run again to continue: modelyard tune {name}")
            return INTERRUPTED
        finally:  # also after a search that was interrupted or has failed
            with location.explain_errors():
                _print_best(console, results := _write_results(study))
            _print_storage(console, options.storage, location)
    return 0 if results.best else 1


def show_trials(name: str, address: str | None) -> None:
    """Print the trials of the latest study of this name."""
    from modelyard.tuning import terminal_table

    Console().print(terminal_table.trials_table(_latest(name, address)))


def confirm(name: str, address: str | None, options: EngineOptions) -> int:
    """Train the best trials and the baseline of the latest study with several seeds; returns the exit code.

    So is the tuned experiment that params.yaml has of an earlier search, if it is none of them. Finished runs are kept,
    so that a confirmation that was stopped goes on.

    Raises:
        ModelyardError: the study has no trial to confirm, its experiment has changed since, or a training of
            the baseline or of every candidate diverged.
    """
    console, project = Console(), params.load()
    handle_termination_as_ctrl_c()
    settings = _study_settings(project, name)
    from modelyard.cli.replicate import train_all
    from modelyard.replication import confirmation
    from modelyard.replication.confirmation import SEEDS, Configuration, Score
    from modelyard.replication.single_run import train_and_validate
    from modelyard.tuning import apply, results, storage

    location = storage.find_storage(name, address, Path.cwd())
    study = storage.load_latest_study(name, location)
    with location.explain_errors():
        found = results.read_study(study)
    if found.sizes:
        raise ModelyardError(f"study {found.name} has several metrics, which have no one order: --confirm is for one.")
    apply.refuse_changes(found, project, Path("params.yaml"))
    if not found.candidates:
        raise ModelyardError(
            f"study {found.name} has no finished trial besides the baseline: there is nothing to confirm. "
            f"Run more trials: modelyard tune {name} --trials {len(found.trials) + settings.n_trials}"
        )
    trials = [Configuration(trial.number, found.settings_of(trial)) for trial in found.candidates]
    (_, baseline), *candidates = [
        (each, confirmation.series_of(project, found.experiment, each)) for each in (Configuration(None, {}), *trials)
    ]
    compared = [baseline, *(of for _, of in candidates)]
    tuned = confirmation.series_of_tuned(project, found.experiment, found.space["inputs"], compared)
    wanted = [(of, SEEDS) for of in (*compared, *filter(None, [tuned]))]
    folds, seed = found.space["folds"], found.space.get("seed", settings.seed)  # the folds of the search
    kept = f"{found.name}_{seed}" + (f"_{folds}_folds" if folds else "")  # runs of other folds differ
    folder = project_root() / ".modelyard" / "confirmation" / kept
    work = partial(train_and_validate, folds=folds, split_seed=seed)
    if train_all(wanted, folder, console, options, work, f"confirmation of {found.name}"):
        console.print(f"Not confirmed yet. Run again to continue: modelyard tune {name} --confirm", highlight=False)
        return 1
    confirmed = confirmation.confirm(baseline, candidates, Score(found.metric, found.maximize), folder, tuned)
    with location.explain_errors():
        study.set_user_attr(results.CONFIRMATION, confirmed)
        found = _write_results(study)
    from modelyard.tuning.terminal_table import confirmation_table

    console.print(confirmation_table(found))
    if found.chance_remark:
        console.print(found.chance_remark, highlight=False)
    console.print(_after_confirmation(found), highlight=False)
    _print_storage(console, address, location)
    return 0


def apply_best(name: str, address: str | None, replace: bool, number: int | None) -> None:
    """Write the winner of the latest study of this name, or a chosen trial, into params.yaml, and its claim."""
    from modelyard.tuning import apply
    from modelyard.tuning.results import read_study

    console, study = Console(), _latest(name, address)
    written = apply.apply(study, Path("params.yaml"), replace, number)
    console.print(f"params.yaml now has {written.name}, the {written.note}.", highlight=False)
    console.print(f"Next: modelyard run {written.name}", highlight=False)
    if written.outdates_claim:
        console.print(
            f"warning: the claim {apply.claim_name(written.experiment)} of claims.yaml is about the settings before: "
            f"remove it, or make it anew: modelyard tune {name} --confirm, then --apply --replace",
            highlight=False,
            style="yellow",
        )
    if written.claim:
        claim = apply.claim_name(written.experiment)
        kept = ", and keeps it, though a new one would differ (--replace overwrites it)" if written.keeps_claim else ""
        text = (
            f"claims.yaml has the claim {claim}{kept}. To test it once on the test samples: modelyard replicate {claim}"
        )
        console.print(text, highlight=False)
        return
    found = read_study(study)
    can_be_confirmed = not found.sizes and number in (None, *(trial.number for trial in found.candidates))
    if can_be_confirmed and not found.is_confirmed:
        console.print(f"It was found with one seed. To compare it over several: modelyard tune {name} --confirm")


def _epochs_note(plan: "Plan") -> str:
    """How a search finds the number of epochs, if it does."""
    from modelyard.tuning.plan import STEERING

    if EPOCHS not in plan.study.search_space:
        return ""
    if plan.epochs_to_compare:
        return " The number of epochs is read off each learning curve."
    return f" The number of epochs is sampled, because the study or its experiment has one of {', '.join(STEERING)}."


def _stagnation_note(name: str, settings: StudySettings) -> str:
    return (
        f"\nNo better score in {settings.max_stagnation_trials} trials: stopped. To go on, raise or remove "
        f"studies.{name}.max_stagnation_trials, and run again."
    )


def _study_settings(project: Project, name: str) -> StudySettings:
    if name not in project.studies:
        raise ModelyardError(f"no such study: {name}; {suggest(name, project.studies)}")
    return project.studies[name]


def _latest(name: str, address: str | None) -> "optuna.Study":
    """The latest stored study of this name."""
    _study_settings(params.load(), name)  # first, to refuse a wrong name
    from modelyard.tuning import storage

    return storage.load_latest_study(name, storage.find_storage(name, address, Path.cwd()))


def _write_results(study: "optuna.Study") -> "StudyResults":
    """Write the report and the MLflow runs; does nothing if no trial has ended."""
    from modelyard.tuning import mlflow_log, report, results

    found = results.read_study(study)
    if found.finished or found.pruned or found.failed:
        folder = REPORTS / found.name
        lock = Path(".modelyard") / "studies" / f"{found.name}.report.lock"
        with FileLock(lock):  # two searches in this folder can end at the same time
            report.write(study, folder)
        mlflow_log.write(study, folder)
    return found


def _print_best(console: Console, found: "StudyResults") -> None:
    """Print the best trial; nothing if no trial has ended."""
    from modelyard.tuning.results import format_value, score

    if not (found.finished or found.pruned or found.failed):
        return
    page = REPORTS / found.name / "report.md"
    if found.best is None:
        console.print(f"\nNo trial was completed. See {page}.", highlight=False)
        return
    best = f"\nBest {found.metric}: {format_value(score(found.best))} in trial {found.best.number}"
    baseline = f"; baseline {format_value(score(found.baseline))}" if found.baseline else ""
    console.print(f"{best}{baseline}, with one seed each. See {page}.", highlight=False)
    for key, value in found.settings_of(found.best).items():
        console.print(f"  {key}: {format_value(value)}", highlight=False)
    if found.sizes:
        front = ", ".join(f"{trial.number}" for trial in found.front)
        console.print(f"No other trial beats these in {found.metric} and {' and '.join(found.sizes)}: {front}")
        console.print(f"Next: modelyard tune {found.entry} --apply --trial NUMBER writes one of them into params.yaml")
        return
    console.print(_next_step(found), highlight=False)


def _print_storage(console: Console, address: str | None, location: "StudyStorage") -> None:
    """Say that the next commands need the storage that was named on the command line."""
    if address:
        hint = f"With --storage {location.safe_address}, or set MODELYARD_OPTUNA_STORAGE once."
        console.print(hint, style="dim", highlight=False, soft_wrap=True)


def _next_step(found: "StudyResults") -> str:
    from modelyard.tuning.results import NOTHING_TO_CONFIRM

    if found.is_confirmed:
        return _after_confirmation(found)
    if not found.candidates:
        return NOTHING_TO_CONFIRM
    return f"Next: modelyard tune {found.entry} --confirm trains the best trials and the baseline with more seeds"


def _after_confirmation(found: "StudyResults") -> str:
    if found.is_better_over_seeds and found.better_tuned:
        return (
            f"{found.better_tuned['experiment']}, which params.yaml has, has the best mean: there is nothing to apply."
        )
    if found.is_better_over_seeds:
        return f"Next: modelyard tune {found.entry} --apply writes the trial that is best over seeds into params.yaml"
    return "The baseline has the best mean, so there is no winner. Run more trials or widen a range, and confirm again."
