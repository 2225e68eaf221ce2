"""`modelyard verify`: rebuild experiments in a temporary folder, and compare them with the results here."""

import json
import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import chdir
from dataclasses import asdict
from itertools import chain
from pathlib import Path

from rich.console import Console
from rich.text import Text

from modelyard import params
from modelyard.cli.interrupts import INTERRUPTED, handle_termination_as_ctrl_c
from modelyard.cli.prerequisites import default_jobs, failures, libraries_of, run_stages
from modelyard.orchestration.fork_server import running_server
from modelyard.orchestration.scheduler import SUCCEEDED, Stage, with_upstream
from modelyard.orchestration.scratch_copy import scratch_copy
from modelyard.params.project import Project
from modelyard.replication.verification import RebuildVerdict, Verification, check_names, compare, own_stages

MARKS = {
    RebuildVerdict.EQUAL: ("✓", "green"),
    RebuildVerdict.WITHIN: ("✓", "yellow"),
    RebuildVerdict.DIFFERENT: ("✗", "bold red"),
    RebuildVerdict.FAILED: ("✗", "bold red"),
}


def verify(names: Sequence[str], jobs: int | None, only_bytes: bool, as_json: bool) -> int:
    """Rebuild experiments from the raw files, and print how they compare with dvc.lock; returns the exit code.

    Raises:
        ModelyardError: a name or params.yaml is wrong, or one of them was never built here; nothing was run.
    """
    console, project, root = Console(stderr=as_json), params.load(), Path.cwd()
    handle_termination_as_ctrl_c()
    check_names(project, names, root)
    # The stages of the copy are started with this Python, and log no runs.
    os.environ |= {"MODELYARD_PYTHON": sys.executable, "MODELYARD_TRACKING": "off"}
    os.environ.pop("DVC_ROOT", None)
    own_by_name = {name: own_stages(project, name, root) for name in dict.fromkeys(names)}
    targets = [*chain.from_iterable(own_by_name.values())]
    fetched = {f"fetch@{dataset}" for name in names for dataset in _datasets(project, name)}
    try:
        with scratch_copy(root, targets, fetched) as folder, chdir(folder):
            link_own_files(project, root, folder)
            with running_server(libraries_of(project, targets)):
                stages = run_stages(targets, console, jobs or default_jobs())
            found = [_verify(project, name, root, folder, stages, own) for name, own in own_by_name.items()]
    except KeyboardInterrupt:
        console.print("\nStopped. Nothing was kept or changed.")
        return INTERRUPTED
    if as_json:
        print(json.dumps([asdict(each) for each in found], indent=2))  # noqa: T201
    else:
        for each in found:
            _print(console, each)
    accepted = {RebuildVerdict.EQUAL} if only_bytes else {RebuildVerdict.EQUAL, RebuildVerdict.WITHIN}
    return int(any(each.verdict not in accepted for each in found))


def link_own_files(project: Project, root: Path, folder: Path) -> None:
    """Make the user's own data files available in the copy, where nothing writes them."""
    paths = (source.path for dataset in project.datasets.values() for source in dataset.files.values())
    for path in filter(None, paths):
        link = folder / path
        if not link.exists() and (root / path).exists():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to((root / path).resolve())


def _datasets(project: Project, experiment: str) -> Iterator[str]:
    """The data sets of an experiment and of those that it starts from."""
    yield project.dataset_of(experiment)
    if backbone := getattr(project.all_experiments[experiment].model, "backbone", None):
        yield from _datasets(project, backbone)


def _verify(
    project: Project, experiment: str, root: Path, folder: Path, stages: Mapping[str, Stage], own: Sequence[str]
) -> Verification:
    needed = _upstream(own, stages)
    if all(stages[stage].state in SUCCEEDED for stage in own):
        return compare(project, experiment, root, folder, needed)
    reasons = [f"{stage} failed. {log}" for stage, log in failures(stages).items() if stage in needed]
    return Verification(experiment, RebuildVerdict.FAILED, reasons=tuple(reasons))


def _upstream(own: Collection[str], stages: Mapping[str, Stage]) -> Collection[str]:
    """Some stages and all that they depend on, in the order in which they can run."""
    needed = with_upstream(own, {name: stage.upstream for name, stage in stages.items()})
    return [name for name in stages if name in needed]


def _print(console: Console, found: Verification) -> None:
    """Print a verdict, and what differs and why."""
    mark, style = MARKS[found.verdict]
    line = Text.assemble((f"{mark} ", style), (found.experiment, "bold"), f": {found.verdict}")
    if found.verdict is RebuildVerdict.EQUAL:
        line.append(f" ({found.files} outputs)")
    details = {
        "differs": [", ".join(found.differing)] if found.differing else [],
        "metric": found.metrics,
        "reason": found.reasons,
    }
    lines = [f"  {label}: {text}" for label, texts in details.items() for text in texts]
    console.print(Text("\n").join([line, *map(Text, lines)]), soft_wrap=True)
