"""`modelyard run`: rebuild experiments with live progress, and print their results."""

import os
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

from modelyard import params
from modelyard.cli import other_bytes
from modelyard.cli.display import StageDisplay, checking_status, missing_own_files, print_plan, print_unavailable
from modelyard.cli.engines import open_engine
from modelyard.cli.interrupts import INTERRUPTED, handle_termination_as_ctrl_c
from modelyard.cli.prerequisites import (
    LIBRARIES,
    LOG_LINES,
    default_jobs,
    libraries_of,
    recording_lineage,
    refuse_edited_files,
    report_package_changes,
)
from modelyard.cli.runs import backfill_after_rebuild, print_tracking_failures
from modelyard.core.errors import ModelyardError
from modelyard.core.files import read_json, read_text, write_json
from modelyard.core.keys import warn_of_keys
from modelyard.core.report_text import duration_text
from modelyard.data.download import HostReachability
from modelyard.orchestration import dvc_lock
from modelyard.orchestration.engine import Engine, EngineOptions
from modelyard.orchestration.fork_server import running_server
from modelyard.orchestration.run_lock import only_run
from modelyard.orchestration.scheduler import SUCCEEDED, Pipeline, Stage, StageState
from modelyard.params.project import Project, Published
from modelyard.params.results import (
    PRETRAINED_STAGES,
    batch_stage,
    contract_stage,
    evaluate_stage,
    export_stage,
    results_of,
    train_stage,
)
from modelyard.tracking import is_enabled, report_relocation
from modelyard.tracking.environment import REBUILD, uncommitted_patch, warn_of_keys_in

TYPICAL_TIMES = Path("docs/costs.json")  # which stages take longest, for a clone that has built nothing yet
HEAVY = ("train", "evaluate")  # their runs are logged
PRELOADED = (*HEAVY, "export", "batch")
ELSEWHERE = (*HEAVY, "export")  # on a cluster; batches read a person's own files, and the rest takes seconds
TOLERANT = ("compare",)  # compares whatever results there are
BEGUN = Path(".modelyard/batches.json")  # the output of each batch that a run has begun and not recorded
STALE = "from an earlier rebuild"
WIDE = 120  # columns of a terminal that has room for notes


@dataclass(frozen=True)
class RunOptions:
    """Options of `modelyard run`; see its help."""

    engine: EngineOptions
    demo: bool
    strict: bool
    dry: bool
    verbose: bool
    wait_seconds: float | None


def rebuild(names: Sequence[str], options: RunOptions) -> int:
    """Bring experiments up to date and print their results; returns the exit code.

    Raises:
        ModelyardError: params.yaml, published.yaml, a name or the checksum of a user's own file is wrong, or another
            run in this folder did not end in time; nothing was run.
    """
    console = Console()
    handle_termination_as_ctrl_c()
    project, published, chosen, targets = _read(names, options.demo)
    if options.dry:
        pipeline, unavailable = _plan(console, project, targets)
        print_plan(console, pipeline.stages, unavailable, options.verbose)
        return int(options.strict and bool(unavailable))
    with only_run(Path.cwd(), options.wait_seconds, console.print):
        project, published, chosen, targets = _read(names, options.demo)  # edited, maybe, while this waited
        pipeline, unavailable = _plan(console, project, targets)
        if is_enabled():
            for warning in filter(None, _keys() if _heavy(pipeline.stages, StageState.WAITING) else ()):
                console.print(warning, markup=False, highlight=False, soft_wrap=True)
            with suppress(OSError, sqlite3.Error):  # who opens the store reports what is wrong with it
                report_relocation()
        os.environ.setdefault(REBUILD, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
        jobs = options.engine.jobs or _default_jobs(pipeline.stages.values())
        before = other_bytes.recorded(pipeline.stages)
        preloaded = [stage.name for stage in _heavy(pipeline.stages, StageState.WAITING, PRELOADED)]
        is_stopped = False
        with (
            running_server(() if options.engine.scheduler else libraries_of(project, preloaded)),
            _engine(pipeline, options.engine, console, jobs) as engine,
            StageDisplay(console, pipeline) as display,
        ):

            def watch(stages: Mapping[str, Stage]) -> None:
                _note_batches(project, stages)
                display.show(stages)

            recording = recording_lineage(project, watch)
            try:
                pipeline.run(None, recording, TOLERANT, engine, stays=lambda stage: not _is_heavy(stage, ELSEWHERE))
            except KeyboardInterrupt:
                console.print("\nStopped. Finished stages are kept; run again to continue.")
                is_stopped = True
    if not is_stopped:
        _print_summary(console, project, published, chosen, pipeline.stages, unavailable, options.verbose)
    if text := other_bytes.explain(before, pipeline.stages, project.runtime):  # the next run finds these in dvc.lock
        _print_unwrapped(console, text)
    if is_stopped:
        return INTERRUPTED
    failed = any(stage.state is StageState.FAILED for stage in pipeline.stages.values())
    _write_cards(project, pipeline.stages)
    complete = [name for name, stage in chosen.items() if pipeline.stages[stage].state in SUCCEEDED]
    if is_enabled():
        are_added = backfill_after_rebuild(console, project, complete, end_dead=failed)
        if built := _heavy(pipeline.stages, StageState.BUILT):
            print_tracking_failures(built, are_added)
    return int(failed or (options.strict and bool(unavailable)))


def _read(names: Sequence[str], demo: bool) -> tuple[Project, Published, dict[str, str], list[str]]:
    """The settings, the published values, the evaluation stage of each chosen experiment, and all targets."""
    project = params.load()
    published = params.load_published(project)
    chosen = _chosen_stages(project, names, demo)
    targets = [*chosen.values(), *_further_stages(project, chosen)] + ([] if names or demo else ["compare"])
    return project, published, chosen, targets


def _keys() -> Iterator[str]:
    """A warning of what looks like a key, or "", for each text that is stored with the runs."""
    yield warn_of_keys_in(uncommitted_patch())
    for file in filter(Path.exists, map(Path, ("params.yaml", "published.yaml"))):
        yield warn_of_keys(read_text(file), str(file), "whose settings and descriptions are stored with the run")


def _write_cards(project: Project, stages: Mapping[str, Stage]) -> None:
    """Write the cards of the experiments that were built, now or by a run that was stopped before its end.

    A card that cannot be written is removed, as outdated.
    """
    outdated = [name for name in project.all_experiments if _is_card_outdated(project, name, stages)]
    if not outdated:
        return
    from modelyard.reporting.model_cards import CardSources, read_cards, write_cards

    write_cards(Path.cwd(), project, dict.fromkeys(outdated))
    with suppress(ModelyardError):  # settings that were edited in the meantime are no reason to fail a build
        write_cards(Path.cwd(), project, read_cards(CardSources.read(Path.cwd()), outdated))


def _is_card_outdated(project: Project, name: str, stages: Mapping[str, Stage]) -> bool:
    train, evaluate = (stages.get(stage(project.section_of(name), name)) for stage in (train_stage, evaluate_stage))
    if any(stage and stage.state is StageState.BUILT for stage in (train, evaluate)):
        return True
    is_current = evaluate is not None and evaluate.state is StageState.UNCHANGED
    return is_current and not results_of(project, name).has_card


def _plan(console: Console, project: Project, targets: Collection[str]) -> tuple[Pipeline, dict[str, str]]:
    """The stages that the targets need, each with what is to be done, and the data that is out of reach."""
    report_package_changes(console)
    with checking_status(console):
        pipeline = Pipeline(Path.cwd(), targets, TYPICAL_TIMES)
        refuse_edited_files(project, pipeline.stages)
        pipeline.find_unchanged()
        unavailable = _unavailable_data(project, pipeline.stages, Path.cwd())
        unavailable |= _missing_batches(project, pipeline.stages)
        pipeline.skip(unavailable | _left_out(project, targets, pipeline.stages), TOLERANT)
    return pipeline, unavailable


def _chosen_stages(project: Project, names: Sequence[str], demo: bool) -> dict[str, str]:
    """The evaluation stage of each experiment to rebuild."""
    wanted = names or [name for name in project.all_experiments if not _is_on_request(project, name)]
    if not wanted:
        raise ModelyardError("params.yaml has no experiment to build; add one under `experiments`.")
    stages = {name: evaluate_stage(project.section_of(name), name) for name in wanted}
    chosen = {name: stage for name, stage in stages.items() if not demo or _needs_no_download(project, name)}
    if demo and not chosen:
        raise ModelyardError(f"all data of {', '.join(wanted)} must be downloaded: leave out --demo.")
    return chosen


def _further_stages(project: Project, names: Collection[str]) -> list[str]:
    """The stages that convert the models, describe their inputs and predict batches, if dvc.yaml has them.

    That of a project of an earlier version has not.
    """
    found: list[str] = []
    read = cache(read_text)
    for name in names:
        of_input = contract_stage(project.all_experiments[name].input)
        for stage in (export_stage(project.section_of(name), name), of_input):
            file, _, own_name = stage.rpartition(":")
            if f"\n  {own_name.partition('@')[0]}:" in read(Path(file or "dvc.yaml")):
                found.append(stage)
    found += [batch_stage(name) for name, batch in project.batches.items() if batch.experiment in names]
    return list(dict.fromkeys(found))


def _is_on_request(project: Project, experiment: str) -> bool:
    return getattr(project.all_experiments[experiment], "on_request", False)


def _left_out(project: Project, targets: Collection[str], stages: Mapping[str, Stage]) -> dict[str, str]:
    """The stages of experiments that nobody asked for, which the comparison would bring along, with the reason."""
    reasons = {}
    for name in project.all_experiments:
        section = project.section_of(name)
        if _is_on_request(project, name) and evaluate_stage(section, name) not in targets:
            for stage in (train_stage, evaluate_stage, export_stage):
                reasons[stage(section, name)] = f"it takes long: modelyard run {name}"
    waiting = {name for name, stage in stages.items() if stage.state is StageState.WAITING}
    return {name: reason for name, reason in reasons.items() if name in waiting}


def _needs_no_download(project: Project, experiment: str) -> bool:
    """Whether neither its data nor the network that it starts from has to be downloaded."""
    if experiment not in project.all_experiments:  # downloaded weights
        return False
    files = project.datasets[project.dataset_of(experiment)].files.values()
    backbone = getattr(project.all_experiments[experiment].model, "backbone", None)
    return all(source.url is None for source in files) and (backbone is None or _needs_no_download(project, backbone))


def _unavailable_data(project: Project, stages: Collection[str], root: Path) -> dict[str, str]:
    """The fetch stages whose files are neither here nor at any address that answers, with what to do about it."""
    fetched = {f"fetch@{name}": name for name in project.datasets}
    fetched |= {f"{PRETRAINED_STAGES}fetch@{name}": name for name in project.backbones}
    file_sets = {stage: project.files_of(name, root) for stage, name in fetched.items() if stage in stages}
    hosts = HostReachability(address for files in file_sets.values() for address in files.all_addresses())
    reasons = {}
    for stage, files in file_sets.items():
        name = fetched[stage]
        if missing := files.unreachable(root / "data" / "raw" / name, hosts):
            reasons[stage] = missing_own_files(name, files, missing) or files.unavailable_message(missing)
    return reasons


def _missing_batches(project: Project, stages: Mapping[str, Stage]) -> dict[str, str]:
    """The stages of batches whose data is not here, or whose output is a file of others, with what to do about it."""
    reasons = {}
    locked = dvc_lock.read(Path(), [batch_stage(name) for name in project.batches]) if project.batches else {}
    begun = _begun_batches()
    for name, batch in project.batches.items():
        stage, trained = (
            stages.get(batch_stage(name)),
            train_stage(project.section_of(batch.experiment), batch.experiment),
        )
        if stage and not stage.upstream - {trained} and not Path(batch.data).exists():
            reasons[stage.name] = f"{batch.data} is not here: put it there, or correct `data` of batches.{name}"
        built = locked.get(batch_stage(name))
        is_made_here = (built and batch.output in built.outs) or begun.get(name) == batch.output
        if stage and Path(batch.output).exists() and not is_made_here:
            reasons[stage.name] = (
                f"{batch.output} is there, and no run of batches.{name} has made it: it would be lost. Move it, or "
                "name another `output`"
            )
    return reasons


def _note_batches(project: Project, stages: Mapping[str, Stage]) -> None:
    """Write down which outputs are being made: a run that is killed records none, and the next one may replace them."""
    states = {name: stages[stage].state for name in project.batches if (stage := batch_stage(name)) in stages}
    before = _begun_batches()
    begun = {name: output for name, output in before.items() if states.get(name) is not StageState.BUILT}
    begun |= {name: project.batches[name].output for name, state in states.items() if state is StageState.RUNNING}
    if begun != before:
        write_json(BEGUN, begun)


def _begun_batches() -> dict[str, str]:
    return dict(read_json(BEGUN)) if BEGUN.exists() else {}


def _is_heavy(stage: Stage, prefixes: tuple[str, ...] = HEAVY) -> bool:
    return stage.name.removeprefix(PRETRAINED_STAGES).startswith(prefixes)


def _heavy(stages: Mapping[str, Stage], state: StageState, prefixes: tuple[str, ...] = HEAVY) -> list[Stage]:
    """The heavy stages in this state."""
    return [stage for stage in stages.values() if stage.state is state and _is_heavy(stage, prefixes)]


def _engine(pipeline: Pipeline, options: EngineOptions, console: Console, jobs: int) -> "closing[Engine]":
    """The engine of the stages: a cluster only where there are stages that use models; the others stay here."""
    is_needed = _heavy(pipeline.stages, StageState.WAITING, ELSEWHERE)
    return open_engine(options if is_needed else replace(options, scheduler=None), console, jobs, LIBRARIES)


def _default_jobs(stages: Collection[Stage]) -> int:
    if all(stage.state is not StageState.WAITING for stage in stages):
        return 1  # counting cores imports joblib, which takes as long as looking at twenty stages
    return default_jobs()


def _print_summary(
    console: Console,
    project: Project,
    published: Published,
    chosen: Mapping[str, str],
    stages: Mapping[str, Stage],
    unavailable: Mapping[str, str],
    verbose: bool,
) -> None:
    """Print the results, what was skipped or failed and why, and where to look next."""
    if any(stage.state is not StageState.UNCHANGED for stage in stages.values()):
        stale = [name for name, stage in chosen.items() if stages[stage].state not in SUCCEEDED]
        ended = [name for name, stage in stages.items() if stage.state in (StageState.FAILED, StageState.STOPPED)]
        untrained = [name for name in stale if train_stage(project.section_of(name), name) in ended]
        console.print(_result_table(project, published, chosen, stale, untrained, console.width))
    if unavailable:
        console.print()
        print_unavailable(console, unavailable, verbose)
    for stage in stages.values():
        if stage.state is StageState.FAILED:
            _print_unwrapped(console, (f"\n{stage.name} failed. ", "bold red"), f"The end of {stage.log}:")
            _print_unwrapped(console, "\n".join(stage.last_lines(LOG_LINES)))
    skipped = [name for name, stage in chosen.items() if stages[stage].state is StageState.SKIPPED]
    if skipped:
        _print_unwrapped(console, f"\nNot rebuilt: {', '.join(skipped)}.")
    counts = {state: sum(stage.state is state for stage in stages.values()) for state in StageState}
    totals = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    ran = [stage for stage in stages.values() if stage.ended]
    seconds = max(stage.ended for stage in ran) - min(stage.began for stage in ran) if ran else 0.0
    duration = f", in {duration_text(seconds)}" if ran else ""
    _print_unwrapped(console, f"\nStages: {totals}{duration}.\n{_next_steps(stages)}")


def _print_unwrapped(console: Console, *parts: str | tuple[str, str]) -> None:
    """Print text, each part optionally with a style, without line breaks, so that paths and addresses can be copied."""
    console.print(Text.assemble(*parts), soft_wrap=True)


def _next_steps(stages: Mapping[str, Stage]) -> str:
    has_runs = is_enabled() and bool(_heavy(stages, StageState.BUILT))
    of_these = f" (those of this rebuild: tags.rebuild = '{os.environ[REBUILD]}')" if has_runs else ""
    browse = f"`make ui` shows every run in the browser{of_these}"
    if "compare" in stages and stages["compare"].state in SUCCEEDED:
        return f"Next: `make report` writes all results to one page, reports/index.html; {browse}."
    return f"Next: {browse}; `modelyard run` without names compares all experiments in reports/comparison.md."


def _result_table(
    project: Project,
    published: Published,
    chosen: Collection[str],
    stale: Collection[str],
    untrained: Collection[str],
    width: int,
) -> Table:
    """The results of the chosen experiments; those of `stale` are marked as from an earlier rebuild.

    So are those of `untrained`, which look committed: DVC removes a model before its training, and that has failed. A
    narrow terminal has no room for notes, and shows all else of an experiment below each other. Without published
    values there is no column for them.
    """
    from modelyard.cli.experiments import read_results
    from modelyard.experiments.compare import EARLIER, REBUILT, overview

    compared = read_results(project, published)
    for names, state in ((stale, REBUILT), (untrained, EARLIER)):
        compared.loc[compared.experiment.isin(names) & (compared.state == state), "state"] = STALE
    is_wide, has_published = width >= WIDE, bool(published)
    headers = (Column("experiment", no_wrap=True), Column("on test samples (95 % interval)", no_wrap=is_wide))
    more = [*["published"] * has_published, "remarks"] if is_wide else []
    table = Table(*headers, *more, title="Results", box=SIMPLE_HEAD, pad_edge=False)
    shown = compared[compared.experiment.isin(chosen)]
    row: Any  # pandas types a cell as the union of all it could be
    for row in overview(shown if is_wide else shown.assign(note="")).itertuples():
        if is_wide:
            table.add_row(row.experiment, row.value, *[row.published] * has_published, escape(row.remarks))
        else:
            printed = f"published: {row.published}" if row.published else ""
            table.add_row(row.experiment, "\n".join(filter(None, [row.value, printed, escape(row.remarks)])))
    return table
