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
    """A claim and what became of it.

    Its bar stands on a scale of its own, on which `nothing` is where no effect would be, and `small` the two ends of
    what would not matter.
    """

    says: str
    notebook: str
    compares: str
    metric: str
    verdict: str
    kind: str
    effect: str
    chances: str
    pairs: int
    bar: Bar | None
    nothing: float
    small: tuple[float, float]


def claims(folder: Folder) -> list[Claim]:
    """Every claim, in the file's order; none where none was put to the test."""
    return [_claim(found) for found in (folder.json(CLAIMS) or {}).get("claims", {}).values()]


def _claim(found: dict[str, Any]) -> Claim:
    effect, smallest = found["difference"] or {}, found["smallest"]
    interval = [effect[end] for end in ("low", "high") if effect.get(end) is not None]
    scale = Scale.of((-smallest, smallest, *interval))
    return Claim(
        says=found["says"],
        notebook=found["notebook"],
        compares=f"{_side(found['first'])} less {_side(found['second'])}",
        metric=found["metric"],
        verdict=found["verdict"],
        kind=SETTLED.get(found["verdict"], "open"),
        effect=_told(effect.get("mean"), interval),
        chances=" / ".join(f"{p:.2g}" for p in (found["chance_for"], found["chance_against"]) if p is not None),
        pairs=found["pairs"],
        bar=scale.bar(interval, effect["mean"]) if interval else None,
        nothing=scale.at(0.0),
        small=(scale.at(-smallest), scale.at(smallest)),
    )


def _side(side: dict[str, Any]) -> str:
    changes = ", ".join(f"{key} {value}" for key, value in side["changes"].items())
    return side["experiment"] + (f" with {changes}" if changes else "")


def _told(mean: float | None, interval: list[float]) -> str:
    if mean is None:
        return ""
    return f"{mean:+.3g}" + (f" ({' to '.join(f'{end:+.3g}' for end in interval)})" if interval else "")
