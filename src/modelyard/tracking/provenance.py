"""What a run was made of and what made it, as its tags say, and how to make it again."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from modelyard.core import git
from modelyard.orchestration import dvc_lock
from modelyard.tracking import masked_tracking_uri
from modelyard.tracking.queries import RunRecord

SHORT = 10  # digits of a commit
HERE, OTHER, NOT_HERE = "as here", "other here", "not built here"


def explain(record: RunRecord, root: Path) -> str:
    """A run's story and the commands that build it again, compared with what `root` has."""
    return "\n".join([*_story(record, root), "", *_way(record)])


def _story(record: RunRecord, root: Path) -> Iterator[str]:
    yield f"{record.name}: run {record.id}, {record.status.lower()}{_when(record)}"
    tags = record.tags
    for tag, word in (("error", "error"), ("filled_in_from", "from"), ("rebuild", "rebuild"), ("notebook", "notebook")):
        if tag in tags:
            yield f"  {word:9} {tags[tag]}"
    yield f"  commit    {_commit(record)}"
    evaluated = tags.get("evaluation_commit", "")
    if evaluated and not evaluated.startswith(tags.get("git_commit", "")):
        yield f"  evaluated at commit {evaluated}"
    yield from _data(record, root)


def _when(record: RunRecord) -> str:
    began = datetime.fromtimestamp(record.began).astimezone()
    took = f", {record.ended - record.began:.0f} s" if record.ended and "filled_in_from" not in record.tags else ""
    return f", {began:%Y-%m-%d %H:%M %Z}{took}"


def _commit(record: RunRecord) -> str:
    commit = record.tags.get("git_commit")
    if not commit:
        return "unknown: there was no git repository"
    is_here = git.has_commit(Path(), commit)
    known = "" if is_here else "; it is not in this repository: git fetch, or ask who made the run"
    if record.tags.get("git_dirty") != "true":
        return f"{commit}, without changes{known}"
    changed = ", ".join(filter(None, (record.tags.get("git_changed"), record.tags.get("git_new"))))
    return f"{commit}, with changes in {changed}{known}"


def _data(record: RunRecord, root: Path) -> Iterator[str]:
    """What went in and came out, each with whether dvc.lock here has the same."""
    here = {}
    for stage in dvc_lock.read(root).values():
        here |= {**stage.deps, **stage.outs}
    told = {tag: md5 for tag, md5 in sorted(record.tags.items()) if tag.startswith(("in:", "out:"))}
    if not told:
        yield "  MD5s      none noted yet; where its files are: modelyard runs backfill"
    for tag, md5 in told.items():
        way, path = tag.split(":", 1)
        same = NOT_HERE if path not in here else HERE if here[path] == md5 else OTHER
        yield f"  {'went in' if way == 'in' else 'came out':9} {path}  {md5}  {same}"


def _way(record: RunRecord) -> Iterator[str]:
    """The commands that build a run again, beside this checkout."""
    commit, tags = record.tags.get("git_commit"), record.tags
    if not commit:
        yield "Nothing says how to build it again: it names no commit."
        return
    folder = f"../{record.name}-{commit[:SHORT]}"
    yield "To build it again:"
    yield f"  git worktree add {folder} {commit[:SHORT]}"
    if tags.get("git_changed"):
        download = f"mlflow artifacts download --run-id {record.id} --artifact-path changes.patch --dst-path {folder}"
        yield f"  MLFLOW_TRACKING_URI={masked_tracking_uri()} {download}"
    yield f"  cd {folder}"
    if tags.get("git_changed"):
        yield "  git apply --whitespace=nowarn changes.patch && rm changes.patch"
    if tags.get("git_new"):
        yield f"  # bring these files, which git did not know: {tags['git_new']}"
    yield "  make install"
    yield f"  .venv/bin/modelyard run {record.name}"
    yield "The MD5s above then stand in its dvc.lock."
