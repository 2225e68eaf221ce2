"""Where and how a run came about: the commit and what differed from it, the stage, the rebuild, the process."""

import os
import platform
import resource
import subprocess
from pathlib import Path

from modelyard.core.config import read_yaml
from modelyard.core.errors import ModelyardError

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
    patch = _git("diff", "--binary", "HEAD", "--", *NOT_WHAT_STAGES_WRITE)
    return patch + "\n" if patch else ""


def this_process() -> str:
    """This process in words that name no other, on no machine and at no time."""
    import psutil

    return f"{platform.node()} {os.getpid()} {psutil.Process().create_time():.0f}"


def has_died(process: str) -> bool:
    """Whether a process of this machine is gone; of another machine's, and of one without a name, nothing is known."""
    import psutil

    if not process.startswith(f"{platform.node()} "):
        return False
    number, began = process.rsplit(" ", 2)[1:]
    try:
        found = psutil.Process(int(number))
        return f"{found.create_time():.0f}" != began or found.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def resource_usage() -> dict[str, float]:
    """What a training took; the samples of the machine's load miss one of a few seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)  # Linux tells the peak in kibibytes
    seconds = used.ru_utime + used.ru_stime
    return {"system/process_peak_megabytes": used.ru_maxrss / 1024, "system/process_cpu_seconds": seconds}


def knows(commit: str) -> bool:
    """Whether the repository around here has a commit."""
    return bool(_git("cat-file", "-t", commit))


def _tags_of_commit() -> dict[str, str]:
    commit = _git("rev-parse", "HEAD")
    if not commit:
        return {}
    changed = _git("diff", "--name-only", "HEAD", "--", *NOT_WHAT_STAGES_WRITE).splitlines()
    new = _git("ls-files", "--others", "--exclude-standard", "--", *NOT_WHAT_STAGES_WRITE).splitlines()
    dirty = str(bool(changed or new)).lower()
    return {"git_commit": commit, "git_dirty": dirty, "git_changed": ", ".join(changed), "git_new": ", ".join(new)}


def _notebook_of(name: str) -> str:
    """The notebook that an experiment comes from, where params.yaml is here and says so."""
    try:
        published = read_yaml(Path("published.yaml")) or {}
    except ModelyardError:
        return ""
    return (published.get(name) or {}).get("notebook", "")


def _git(*arguments: str) -> str:
    """What git says, or nothing outside a repository."""
    try:
        found = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607
    except FileNotFoundError:  # an image without git
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""
