"""The environment of a run as tags: the commit and uncommitted changes, the DVC stage, the rebuild, the process."""

import itertools
import os
import resource
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from modelyard.core import git
from modelyard.core.config import parse_yaml, read_yaml
from modelyard.core.errors import ModelyardError
from modelyard.core.keys import warn_of_keys
from modelyard.core.processes import this_process

LONGEST = 5000  # characters of names of files in a tag; a column of MLflow's tables has 8000
SETTINGS = Path("params.yaml")
DATA_ENDINGS = (
    *("csv", "tsv", "tab", "psv", "data", "parquet", "feather", "arrow", "orc", "avro", "jsonl", "ndjson"),
    *("xls", "xlsx", "xlsm", "xlsb", "ods", "sav", "dta", "sas7bdat", "rds", "rdata", "mat"),
    *("npy", "npz", "pkl", "pickle", "h5", "hdf5", "db", "sqlite", "sqlite3", "duckdb"),
    *("gz", "tgz", "bz2", "xz", "zst", "zip", "tar", "7z", "rar"),
    *("avif", "bmp", "gif", "heic", "jpeg", "jpg", "png", "tif", "tiff", "webp", "dcm", "wav", "mp3", "mp4"),
)
"""Endings of files that hold samples wherever they lie, in upper or lower case; nobody writes code in them."""
REBUILD = "MODELYARD_REBUILD"  # an environment variable, equal for every stage of one `modelyard run`


def environment_tags(experiment: str = "") -> dict[str, str]:
    """The tags that record what produced a run; those without a value are left out."""
    tags = {
        "notebook": _notebook_of(experiment),
        "rebuild": os.environ.get(REBUILD, ""),
        **_commit_tags(),
        "dvc_stage": os.environ.get("DVC_STAGE", ""),
        "dvc_experiment": os.environ.get("DVC_EXP_NAME", ""),
        "process": this_process(),
    }
    return {tag: value for tag, value in tags.items() if value}


def machine_tags(described: Mapping[str, Any]) -> dict[str, str]:
    """The tags that record what a training computed with, such as processor and versions, of `lineage.describe`."""
    return {name: text for name, value in described.items() if (text := _text(value))}


def describe_commit() -> str:
    """The commit that is checked out, followed by "with changes" where files differ from it; empty outside git."""
    tags = _commit_tags()
    return tags.get("git_commit", "") + (" with changes" if tags.get("git_dirty") == "true" else "")


def uncommitted_patch() -> bytes:
    """A patch from the commit to the files as they are; empty where git cannot make one.

    Untracked files are not in it, nor files of data, whose rows no run should hold; the tag git_left_out names these.
    """
    with suppress(ModelyardError):  # the tag git_error says why
        return git.patch(Path(), _without_data(git.head(Path())))
    return b""


def warn_of_keys_in(patch: bytes) -> str:
    """A warning if a patch has what looks like a key, else ""."""
    return warn_of_keys(patch.decode(errors="replace"), "changes.patch", "which is stored with the run")


def resource_usage() -> dict[str, float]:
    """Peak memory and processor time of this process; MLflow's sampled system metrics miss a training of seconds."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    per_megabyte = 2**20 if sys.platform == "darwin" else 2**10  # macOS counts in bytes, Linux in kibibytes
    return {
        "system/process_peak_megabytes": usage.ru_maxrss / per_megabyte,
        "system/process_cpu_seconds": usage.ru_utime + usage.ru_stime,
    }


def _commit_tags() -> dict[str, str]:
    """The commit and the files that differ from it; `git_error` is why git does not have them."""
    commit = git.head(Path())
    if not commit:
        return {"git_error": git.why_no_commit(Path())}
    try:
        changed, new = git.changed_files(Path(), git.SOURCES), git.untracked_files(Path(), git.SOURCES)
        in_patch = set(git.changed_files(Path(), _without_data(commit)))
    except ModelyardError as error:
        return {"git_commit": commit, "git_error": str(error)}
    return {
        "git_commit": commit,
        "git_dirty": str(bool(changed or new)).lower(),
        "git_changed": _names(changed),
        "git_left_out": _names([name for name in changed if name not in in_patch]),
        "git_new": _names(new),
    }


def _names(files: Sequence[str]) -> str:
    """As many names as a tag holds, which a database may refuse if it is longer, and how many more there are."""
    named = list(itertools.takewhile(lambda end: end <= LONGEST, itertools.accumulate(len(name) + 2 for name in files)))
    more = [f"and {len(files) - len(named)} more"] if len(named) < len(files) else []
    return ", ".join([*files[: len(named)], *more])


def _without_data(commit: str) -> list[str]:
    """The pathspecs of all sources except files of data: those that settings name, here or in a commit, and by ending.

    A change may be that a file was renamed, or is no more in git; the rows that it removes are known to the commit.
    """
    with_endings = [f":(exclude,icase)*.{ending}" for ending in DATA_ENDINGS]
    before = git.read_file(Path(), git.Commit(commit, "", ""), str(SETTINGS)) or ""
    named = {
        path for read in (lambda: read_yaml(SETTINGS), lambda: parse_yaml(before, SETTINGS)) for path in _data(read)
    }
    return [*git.SOURCES, *with_endings, *(f":(exclude,literal){path}" for path in sorted(named))]


def _data(read: Callable[[], Any]) -> Iterator[str]:
    """The files and folders of own data sets and batches that lie in this project; git refuses to leave out others."""
    with suppress(ModelyardError, AttributeError, TypeError):  # settings that are missing or wrong name none
        settings = read() or {}
        datasets, batches = settings.get("datasets") or {}, settings.get("batches") or {}
        sources = [source.get("path") for each in datasets.values() for source in (each.get("files") or {}).values()]
        for path in filter(None, [*sources, *(batch.get("data") for batch in batches.values())]):
            if not os.path.relpath(path).startswith(os.pardir):
                yield path


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {each}" for name, each in value.items())
    return ", ".join(value) if isinstance(value, list) else str(value)


def _notebook_of(experiment: str) -> str:
    """The notebook that an experiment comes from; empty where published.yaml is missing or does not name it."""
    try:
        published = read_yaml(Path("published.yaml")) or {}
    except ModelyardError:
        return ""
    return str((published.get(experiment) or {}).get("notebook", ""))
