"""Where and how a run came about: the commit and what differed from it, the stage, the rebuild, the process."""

import os
import resource
from pathlib import Path

from modelyard.core import git
from modelyard.core.config import read_yaml
from modelyard.core.errors import ModelyardError
from modelyard.core.processes import this_process

REBUILD = "MODELYARD_REBUILD"  # in the environment of every stage of one `modelyard run`
# What stages write changes in every rebuild and makes no other result.
NOT_WHAT_STAGES_WRITE = (".", ":!*dvc.lock", ":!results", ":!reports")


def environment_tags(name: str = "") -> dict[str, str]:
    """The tags that lead from a run back to what made it, those that are known; `name` is its experiment's."""
    tags = {
        **_tags_of_commit(),
        "dvc_stage": os.environ.get("DVC_STAGE", ""),
        "dvc_experiment": os.environ.get("DVC_EXP_NAME", ""),
        "rebuild": os.environ.get(REBUILD, ""),
        "process": this_process(),
        "notebook": _notebook_of(name),
    }
    return {tag: value for tag, value in tags.items() if value}


def describe_commit() -> str:
    """The commit that is checked out, with a remark where files differ from it."""
    tags = _tags_of_commit()
    return tags["git_commit"] + (" with changes" if tags["git_dirty"] == "true" else "") if tags else ""


def changes() -> str:
    """A patch from the commit to the files as they are, those excepted that git does not know."""
    patch = git.patch(Path(), NOT_WHAT_STAGES_WRITE).strip()
    return patch + "\n" if patch else ""


def resource_usage() -> dict[str, float]:
    """What a training took; the samples of the machine's load miss one of a few seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)  # Linux tells the peak in kibibytes
    seconds = used.ru_utime + used.ru_stime
    return {"system/process_peak_megabytes": used.ru_maxrss / 1024, "system/process_cpu_seconds": seconds}


def _tags_of_commit() -> dict[str, str]:
    commit = git.head(Path())
    if not commit:
        return {}
    changed = git.changed_files(Path(), NOT_WHAT_STAGES_WRITE)
    new = git.untracked_files(Path(), NOT_WHAT_STAGES_WRITE)
    dirty = str(bool(changed or new)).lower()
    return {"git_commit": commit, "git_dirty": dirty, "git_changed": ", ".join(changed), "git_new": ", ".join(new)}


def _notebook_of(name: str) -> str:
    """The notebook that an experiment comes from, where params.yaml is here and says so."""
    try:
        published = read_yaml(Path("published.yaml")) or {}
    except ModelyardError:
        return ""
    return (published.get(name) or {}).get("notebook", "")
