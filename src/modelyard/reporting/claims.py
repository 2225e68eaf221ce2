"""Verdicts on what is claimed, each with its effect as an interval, as `modelyard replicate` wrote them."""

from dataclasses import dataclass
from typing import Any

from modelyard.reporting.bars import Bar, Scale
from modelyard.reporting.changes import CLAIMS
from modelyard.reporting.folder import Folder

REPLICATION = "reports/replication.csv"
SETTLED = {"holds": "good", "does not hold": "bad"}


@dataclass(frozen=True)
class Claim:
    """A claim and what became of it; its bar, on a scale of its own that holds `nothing`, where no effect would be."""

    says: str
    notebook: str
    verdict: str
    kind: str
    metric: str
    effect: str
    p: str
    seeds: str
    bar: Bar | None
    nothing: float


def claims(folder: Folder) -> list[Claim]:
    """Every claim, in the file's order; none where none was put to the test."""
    return [_claim(found) for found in (folder.json(CLAIMS) or {}).get("claims", ())]


def _claim(found: dict[str, Any]) -> Claim:
    measured = found.get("effect") is not None
    low, high = (found["low"], found["high"]) if measured else (0.0, 0.0)
    scale = Scale.of((0.0, low, high))
    return Claim(
        says=found["says"],
        notebook=found.get("notebook", ""),
        verdict=found["verdict"],
        kind=SETTLED.get(found["verdict"], "open"),
        metric=found.get("metric", ""),
        effect=f"{found['effect']:+.4g} ({low:+.4g} to {high:+.4g})" if measured else "",
        p="" if found.get("p") is None else f"{found['p']:.2g}",
        seeds=str(found.get("seeds", "")),
        bar=scale.bar((low, high), found["effect"]) if measured else None,
        nothing=scale.at(0.0),
    )
