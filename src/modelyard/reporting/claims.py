"""The verdicts on claims, from reports/claims.json that `modelyard replicate` writes."""

from dataclasses import dataclass
from typing import Any

from modelyard.metrics.definitions import is_in_target_unit
from modelyard.params.claim import ClaimSettings, claim_from_report
from modelyard.params.project import Project
from modelyard.replication.claims import Verdict
from modelyard.replication.seed_statistics import SeedStatistics
from modelyard.reporting.changes import CLAIMS
from modelyard.reporting.interval_bars import BarAxis, IntervalBar
from modelyard.reporting.project_files import ProjectFiles

STYLES = {Verdict.HOLDS: "good", Verdict.FAILS: "bad"}  # CSS classes; other verdicts have none


@dataclass(frozen=True)
class ClaimRow:
    """A claim and its test.

    Attributes:
        claim: the settings with which it was tested.
        unit: the unit of the difference; empty if it has none.
        verdict: as in claims.json.
        remark: what restricts the verdict.
        origin: from where its runs come, if from an earlier report; else empty.
        style: the CSS class of the verdict, or empty.
        scope: what the verdict is about: this test set, or samples of this kind.
        effect: the mean difference with its 95 % interval, as text.
        effect_size: Cohen's d and P(first > second), as text; empty in reports that do not have them.
        p_values: for and against the claim, as text.
        pairs: the number of seeds that both sides were trained with.
        bar: the effect on an axis of its own; None without an interval.
        zero: the position of no difference on that axis.
        negligible: the positions of the smallest relevant difference, to either side of zero.
    """

    claim: ClaimSettings
    unit: str
    verdict: str
    remark: str
    origin: str
    style: str
    scope: str
    effect: str
    effect_size: str
    p_values: str
    pairs: int
    bar: IntervalBar | None
    zero: float
    negligible: tuple[float, float]


def claim_rows(files: ProjectFiles, project: Project) -> list[ClaimRow]:
    """Every claim of claims.json, in its order; none if there is no such file."""
    return files.attempt(
        CLAIMS, lambda: [_row(entry, project) for entry in (files.json(CLAIMS) or {}).get("claims", {}).values()], []
    )


def _row(entry: dict[str, Any], project: Project) -> ClaimRow:
    claim, difference = claim_from_report(entry), entry["difference"]
    effect = SeedStatistics(**difference) if difference else None
    low, high = (effect.low, effect.high) if effect else (None, None)
    ends = [-claim.smallest, claim.smallest]
    axis, bar = BarAxis.of(ends), None
    if effect and low is not None and high is not None:
        axis = BarAxis.of([*ends, low, high])
        bar = axis.bar(low, high, effect.mean)
    p_values = (entry["p_value_for"], entry["p_value_against"])
    return ClaimRow(
        claim=claim,
        unit=_unit(claim, project),
        verdict=entry["verdict"],
        remark=entry.get("remark", ""),
        origin=entry.get("origin", ""),
        style=STYLES.get(entry["verdict"], ""),
        scope=entry.get("scope", ""),
        effect=effect.text if effect else "",
        effect_size=_effect_size(entry),
        p_values=" / ".join(f"{p_value:.2g}" for p_value in p_values if p_value is not None),
        pairs=entry["pairs"],
        bar=bar,
        zero=axis.position(0.0),
        negligible=(axis.position(-claim.smallest), axis.position(claim.smallest)),
    )


def _effect_size(entry: dict[str, Any]) -> str:
    d, probability = entry.get("cohens_d"), entry.get("probability")
    return ", ".join(
        filter(
            None,
            [
                "" if d is None else f"d {d:+.2f}",
                "P {value:.2f} ({low:.2f} to {high:.2f})".format(**probability) if probability else "",
            ],
        )
    )


def _unit(claim: ClaimSettings, project: Project) -> str:
    """The unit of the difference; empty if the metric is not in the target's unit or the experiment is gone."""
    experiment = claim.first.experiment
    has_unit = is_in_target_unit(claim.metric) and experiment in project.all_experiments
    return project.unit_of(experiment) if has_unit else ""
