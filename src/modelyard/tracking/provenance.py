"""Explains a run: what produced it, whether that is here, and the commands that build it again."""

import shlex
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from modelyard.core import git
from modelyard.orchestration import dvc_lock
from modelyard.tracking.lineage import CODE
from modelyard.tracking.nested_runs import GROUP
from modelyard.tracking.queries import RunRecord
from modelyard.tracking.store import mlflow_command

COMMIT_DIGITS = 10
SAME, DIFFERENT, MISSING = "as here", "other here", "not built here"
FETCH = "git fetch (git fetch --unshallow in a shallow clone), or ask who made the run"
MADE_BY = {
    "study": "modelyard tune",
    "confirmation": "modelyard tune --confirm",
    "replication": "modelyard replicate, or modelyard promote --seeds",
    "check": "modelyard check",
}
"""The command that made a run, by the first word of the tag `group`."""
LABELS = {"error": "error", "filled_in_from": "from", "rebuild": "rebuild", "notebook": "notebook"}  # by tag


def explain(record: RunRecord, lineage: Mapping[str, Mapping[str, str]], root: Path) -> str:
    """What produced a run, compared with dvc.lock in `root`, and the commands that build it again."""
    return "\n".join([*_origin(record, lineage, root), "", *_commands(record)])


def _origin(record: RunRecord, lineage: Mapping[str, Mapping[str, str]], root: Path) -> Iterator[str]:
    yield f"{record.name}: run {record.id}, {record.status.lower()}{_time(record)}"
    tags = record.tags
    for tag, label in LABELS.items():
        if tag in tags:
            yield f"  {label:9} {tags[tag]}"
    yield f"  commit    {_commit(record)}"
    evaluated = tags.get("evaluation_commit", "")
    if evaluated and not evaluated.startswith(tags.get("git_commit", "")):
        yield f"  evaluated at commit {evaluated}"
    if GROUP not in tags:
        yield from _data(lineage, root)


def _time(record: RunRecord) -> str:
    start = datetime.fromtimestamp(record.start_time).astimezone()
    is_measured = record.end_time and "filled_in_from" not in record.tags
    duration = f", {max(0.0, record.end_time - record.start_time):.0f} s" if is_measured else ""
    return f", {start:%Y-%m-%d %H:%M %Z}{duration}"


def _commit(record: RunRecord) -> str:
    commit = record.tags.get("git_commit")
    error = record.tags.get("git_error", "")
    if not commit:
        return f"unknown: {error or 'git found none'}"
    missing = "" if git.has_commit(Path(), commit) else f"; not in this repository: {FETCH}"
    if error:
        return f"{commit}, uncommitted changes unknown: {error}{missing}"
    if record.tags.get("git_dirty") != "true":
        return f"{commit}, without changes{missing}"
    changed = ", ".join(filter(None, (record.tags.get("git_changed"), record.tags.get("git_new"))))
    return f"{commit}, with changes in {changed}{missing}"


def _data(lineage: Mapping[str, Mapping[str, str]], root: Path) -> Iterator[str]:
    """Dependencies and outputs, each with whether dvc.lock here has the same."""
    here: dict[str, str] = {}
    for stage in dvc_lock.read(root).values():
        here |= {**stage.deps, **stage.outs}
    if not lineage:
        yield "  MD5s      not logged yet, or out of reach; where its files are: modelyard runs backfill"
    for kind, md5s in lineage.items():
        for path, md5 in sorted(md5s.items()):
            if not path.startswith(CODE):
                state = MISSING if path not in here else SAME if here[path] == md5 else DIFFERENT
                yield f"  {'input' if kind == 'went in' else 'output':9} {path}  {md5}  {state}"


def _commands(record: RunRecord) -> Iterator[str]:
    """The commands that build a run again, or why there are none."""
    commit, group = record.tags.get("git_commit"), record.tags.get(GROUP)
    if group:
        command = MADE_BY.get(group.partition(" ")[0], "another command than modelyard run")
        yield f"No stage of the pipeline made it: it is of {command}. Run that again, at the same commit."
    elif commit:
        yield from _rebuild(record, commit)
    else:
        yield "It cannot be built again: the run names no commit."


def _rebuild(record: RunRecord, commit: str) -> Iterator[str]:
    """The commands that build a run of a stage again, in a worktree beside this checkout."""
    tags = record.tags
    changed, new, left_out = (tags.get(f"git_{kind}") for kind in ("changed", "new", "left_out"))
    has_patch = changed and changed != left_out
    worktree = f"../{record.name}-{commit[:COMMIT_DIGITS]}"
    project = f"{worktree}/{git.prefix(Path())}".rstrip("/")  # where it is a part of its repository
    folder = shlex.quote(project)
    yield "To build it again:"
    yield f"  git worktree add {shlex.quote(worktree)} {commit[:COMMIT_DIGITS]}"
    if has_patch:
        download = f"artifacts download --run-id {record.id} --artifact-path changes.patch --dst-path {folder}"
        yield f"  {mlflow_command(download)}"
    yield f"  cd {folder}"
    if has_patch:
        yield "  git apply --whitespace=nowarn changes.patch && rm changes.patch"
    if left_out:
        yield f"  # replace these files of data, whose changes no run holds, with those of then: {left_out}"
    if new:
        yield f"  # add these files, which were not in git: {new}"
    yield "  make install"
    yield f"  .venv/bin/modelyard run {shlex.quote(record.name)}"
    yield "Its dvc.lock then has the MD5s above."
