"""Says after a rebuild which results have other bytes than dvc.lock had from equal dependencies, and why."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from modelyard.models import Runtime
from modelyard.orchestration import dvc_lock
from modelyard.orchestration.dvc_lock import LockedStage
from modelyard.orchestration.scheduler import Stage, StageState
from modelyard.tracking import lineage

SAME_MACHINE = "The recorded machine and versions are the same. Equal ones should give equal bytes: please report it."
EXPECTED = (
    "Another processor or library version rounds differently, and training amplifies the difference. This is expected. "
    "Commit these results, or restore the recorded ones: git restore dvc.lock reports results"
)


class Recorded(NamedTuple):
    """What is recorded for a stage before it runs: its entry in dvc.lock, and the machine, None if it is not known."""

    locked: LockedStage
    machine: Mapping[str, Any] | None


def recorded(stages: Mapping[str, Stage]) -> dict[str, Recorded]:
    """What is recorded in the current folder for the stages that are to run, by name."""
    waiting = [name for name, stage in stages.items() if stage.state is StageState.WAITING and lineage.has_entry(name)]
    return {
        name: Recorded(locked, lineage.recorded(name, locked, Path()))
        for name, locked in (dvc_lock.read(Path(), waiting) if waiting else {}).items()
    }


def explain(before: Mapping[str, Recorded], stages: Mapping[str, Stage], runtime: Runtime) -> str:
    """Which of the stages that have run gave other bytes than before, from equal dependencies, and why; "" if none did.

    Args:
        before: what was recorded before they ran.
        stages: all stages of the run.
        runtime: how they used the machine.
    """
    built = [name for name in before if stages[name].is_computed]
    now = dvc_lock.read(Path(), built) if built else {}
    other = [name for name, locked in now.items() if _is_other_result(before[name].locked, locked)]
    if not other:
        return ""
    reasons: dict[str, None] = {}
    for name, here in lineage.describe_each({name: stages[name].machine for name in other}, runtime).items():
        there = before[name].machine
        reasons |= dict.fromkeys(
            [f"{lineage.FILE} does not say where they were built"]
            if there is None
            else lineage.differences(there, here)
        )
    lines = [f"\nResults that differ from dvc.lock, with the same code, settings and data: {_experiments(other)}."]
    return "\n".join([*lines, *(f"  {reason}" for reason in reasons), EXPECTED if reasons else SAME_MACHINE])


def _is_other_result(before: LockedStage, now: LockedStage) -> bool:
    return (before.deps, before.params) == (now.deps, now.params) and before.outs != now.outs


def _experiments(stages: Collection[str]) -> str:
    names = list(dict.fromkeys(stage.rpartition("@")[2] for stage in stages))
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
