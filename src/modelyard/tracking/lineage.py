"""reports/lineage.json: the machine, versions and threads with which each result was computed last.

Not an output of a stage: outputs are compared by their bytes, and equal bytes can come from different machines. Not in
results/, on which the stage compare depends as a whole.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modelyard.core import machine
from modelyard.core.config import flatten, read_yaml
from modelyard.core.errors import ModelyardError
from modelyard.core.files import read_json, write_json
from modelyard.models import Runtime
from modelyard.orchestration import dvc_lock
from modelyard.orchestration.dvc_lock import LockedStage
from modelyard.params.results import PRETRAINED_STAGES
from modelyard.params.variants import digest

FILE = Path("reports/lineage.json")
CODE = ("src/", "pipeline/")  # not data: the commit identifies them
RECORDED = ("train", "evaluate")  # their names begin like this: what floating-point numbers are computed in


def describe(runtime: Runtime, elsewhere: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What decides the last bits of a training besides code, data and settings, ready for JSON.

    Args:
        runtime: how it uses the machine.
        elsewhere: what `core.machine` says of the machine; None: this one.
    """
    device = runtime.device if runtime.device == "cpu" else f"gpu: {', '.join(machine.gpus())}"
    return {**(elsewhere or machine.describe()), "threads": runtime.threads, "device": device}


def describe_each(machines: Mapping[str, Mapping[str, Any] | None], runtime: Runtime) -> dict[str, dict[str, Any]]:
    """The same of the machine of each stage; None: this one, which is described once."""
    here = describe(runtime) if None in machines.values() else {}
    return {name: describe(runtime, elsewhere) if elsewhere else here for name, elsewhere in machines.items()}


def describe_here() -> dict[str, Any]:
    """The same, with the section `runtime` of params.yaml in the current folder."""
    file = Path("params.yaml")
    settings = (read_yaml(file) or {}).get("runtime") if file.exists() else None
    return describe(Runtime(**(settings or {})))


def record(stages: Mapping[str, Mapping[str, Any] | None], runtime: Runtime, root: Path) -> None:
    """Note on which machine the commands of stages have run; a file that cannot be written is a warning.

    The notes of stages that are no longer in dvc.lock, and of environments that no stage has, are removed.

    Args:
        stages: what `core.machine` says of the machine of each; None: this one.
        runtime: how they used it.
        root: the project's folder.
    """
    computed = [name for name in stages if has_entry(name)]
    if not computed:
        return
    known = _read(root)
    machines = describe_each({name: stages[name] for name in computed}, runtime)
    locked, present = dvc_lock.read(root, computed), dvc_lock.names(root)
    entries = {name: entry for name, entry in known["stages"].items() if name in present}
    entries |= {
        name: {"environment": digest(machines[name]), "outs": outs_digest(locked[name].outs)}
        for name in computed
        if name in locked  # or somebody has restored another dvc.lock meanwhile
    }
    used = {entry["environment"] for entry in entries.values()}
    described = known["environments"] | {digest(each): each for each in machines.values()}
    environments = {key: each for key, each in described.items() if key in used}
    content = {"environments": dict(sorted(environments.items())), "stages": dict(sorted(entries.items()))}
    try:
        write_json(root / FILE, content)
    except OSError as error:
        _warn(f"{FILE} was not written ({error.strerror}); `modelyard verify` cannot name the machine of this build")


def has_entry(stage: str) -> bool:
    """Whether the machine of a stage is recorded: whether it computes with floating-point numbers."""
    return stage.removeprefix(PRETRAINED_STAGES).startswith(RECORDED)


def recorded(stage: str, locked: LockedStage, root: Path) -> dict[str, Any] | None:
    """What computed the outputs that a stage has in dvc.lock; None if that is not recorded."""
    known = _read(root)
    entry = known["stages"].get(stage)
    return (
        dict(known["environments"][entry["environment"]])
        if entry and entry["outs"] == outs_digest(locked.outs)
        else None
    )


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """Each entry in which two descriptions differ, as text; lists as sets."""
    there, here = flatten(there), flatten(here)
    keys = sorted(key for key in there.keys() | here.keys() if (there.get(key) or None) != (here.get(key) or None))
    return [_difference(key, there.get(key), here.get(key)) for key in keys]


def outs_digest(outs: Mapping[str, str]) -> str:
    """One hash of outputs and their MD5s, by path."""
    return digest(dict(outs))


def _difference(key: str, there: Any, here: Any) -> str:
    if isinstance(there, list) and isinstance(here, list):
        parts = {"only in the recorded build": set(there) - set(here), "only here": set(here) - set(there)}
        return f"{key}: " + "; ".join(f"{', '.join(sorted(each))} {where}" for where, each in parts.items() if each)
    return f"{key}: {there or 'nothing'} in the recorded build, {here or 'nothing'} here"


def _read(root: Path) -> dict[str, dict[str, Any]]:
    """The content of the file; nothing where it is missing, or not readable: it is a record, no build needs it."""
    file = root / FILE
    try:
        content = read_json(file) if file.exists() else {"environments": {}, "stages": {}}
        for entry in content["stages"].values():
            content["environments"][entry["environment"]].items()
            entry["outs"].strip()
    except (AttributeError, KeyError, ModelyardError, TypeError) as error:
        _warn(f"{FILE} is not readable, and the next build writes it again ({error})")
        return {"environments": {}, "stages": {}}
    return {"environments": dict(content["environments"]), "stages": dict(content["stages"])}


def _warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr)  # noqa: T201
