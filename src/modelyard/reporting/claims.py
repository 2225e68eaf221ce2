"""Verdicts on what is claimed, each with its effect as an interval, as `modelyard replicate` wrote them."""

from dataclasses import dataclass
from typing import Any

from modelyard.metrics.definitions import is_in_target_unit
from modelyard.params.claim import ClaimSettings, claim_from_report
from modelyard.params.project import Project
from modelyard.replication.seed_statistics import SeedStatistics
from modelyard.reporting.changes import CLAIMS
from modelyard.reporting.interval_bars import Bar, Scale
from modelyard.reporting.project_files import Folder

SETTLED = {"holds": "good", "does not hold": "bad"}


@dataclass(frozen=True)
class Claim:
    """What was asked, and what became of it.

    Its bar stands on a scale of its own, on which `nothing` is where no effect would be, and `small` the two ends of
    what would not matter.
    """

    asked: ClaimSettings
    unit: str
    verdict: str
    remark: str
    kind: str
    effect: str
    chances: str
    pairs: int
    bar: Bar | None
    nothing: float
    small: tuple[float, float]


def claims(folder: Folder, project: Project) -> list[Claim]:
    """Every claim, in the file's order; none where none was put to the test."""
    return [_claim(found, project) for found in (folder.json(CLAIMS) or {}).get("claims", {}).values()]


def _claim(found: dict[str, Any], project: Project) -> Claim:
    asked, effect = claim_from_report(found), SeedStatistics(**found["difference"]) if found["difference"] else None
    interval = (effect.low, effect.high) if effect and effect.low is not None else ()
    scale = Scale.of((-asked.smallest, asked.smallest, *interval))
    return Claim(
        asked=asked,
        unit=_unit(asked, project),
        verdict=found["verdict"],
        remark=found.get("remark", ""),
        kind=SETTLED.get(found["verdict"], "open"),
        effect=effect.text if effect else "",
        chances=" / ".join(f"{p:.2g}" for p in (found["chance_for"], found["chance_against"]) if p is not None),
        pairs=found["pairs"],
        bar=scale.bar(interval, effect.mean) if effect and interval else None,
        nothing=scale.at(0.0),
        small=(scale.at(-asked.smallest), scale.at(asked.smallest)),
    )


def _unit(asked: ClaimSettings, project: Project) -> str:
    """What the difference is measured in, where it is an error in the target's unit."""
    experiment = asked.first.experiment
    return (
        project.unit_of(experiment) if is_in_target_unit(asked.metric) and experiment in project.all_experiments else ""
    )
