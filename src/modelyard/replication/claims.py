"""Which claims hold: each is a comparison of two experiments, paired over seeds."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from modelyard.core.markdown import markdown_table
from modelyard.metrics.bootstrap import CONFIDENCE
from modelyard.params.claim import ClaimSettings, claim_from_report
from modelyard.params.project import Project
from modelyard.params.variants import resolve_sides
from modelyard.replication.seed_statistics import SeedStatistics, seed_statistics
from modelyard.replication.series import Series

HEADER = (
    "claim",
    "notebook",
    "first",
    "second",
    "both with",
    "metric",
    "first less second (95 % interval)",
    "seeds",
    "verdict",
)
EARLIER = "settled earlier, not run here"
LEVEL = 1 - CONFIDENCE  # of all claims together: the chance that any verdict is a mistake


class Verdict(StrEnum):
    """What the runs say of a claim."""

    HOLDS = "holds"
    FAILS = "does not hold"
    OPEN = "not settled at this budget"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class PairedRuns:
    """A metric of both sides of a claim, seed by seed, each of shape (n,); `earlier` ones were not run here."""

    first: np.ndarray
    second: np.ndarray
    earlier: bool = False

    @property
    def differences(self) -> np.ndarray:
        return self.first - self.second


@dataclass(frozen=True)
class ClaimResult:
    """A claim with its verdict.

    `chance_for` is how often seeds would speak for the claim like these if it were not so, `chance_against` how often
    they would speak against it if it were; both after Holm's correction over all claims, None without two pairs.
    """

    claim: ClaimSettings
    pairs: PairedRuns
    verdict: Verdict
    p_value_for: float | None = None
    p_value_against: float | None = None

    @property
    def difference(self) -> SeedStatistics | None:
        """Of the first from the second: the size of the effect, with its interval."""
        return seed_statistics(self.pairs.differences) if len(self.pairs.differences) else None

    @property
    def text(self) -> str:
        """The size of the effect in words."""
        return self.difference.text if self.difference else ""

    @property
    def is_slight(self) -> bool:
        """Whether the whole interval of the effect is smaller than what matters."""
        found, smallest = self.difference, self.claim.smallest
        return found is not None and found.low is not None and -smallest < found.low <= found.high < smallest

    @property
    def remark(self) -> str:
        """What a verdict alone would hide: that the difference is too small to matter, or that the runs are not new."""
        is_small = self.verdict is Verdict.HOLDS and self.claim.direction != "equal" and self.is_slight
        small = f"by less than the {self.claim.smallest:g} that would matter" if is_small else ""
        return ", ".join(filter(None, [small, EARLIER if self.pairs.earlier else ""]))


def assess(claims: Mapping[str, ClaimSettings], measured: Mapping[str, PairedRuns]) -> dict[str, ClaimResult]:
    """The verdict on each claim from paired t tests at the level 5 % over all of them (Holm).

    Source of the correction: statsmodels' multipletests.
    """
    chances = {name: _chances(claims[name], pairs) for name, pairs in measured.items() if len(pairs.first) > 1}
    corrected = _corrected(chances)
    found = {}
    for name, claim in claims.items():
        chance = corrected.get(name, (None, None))
        found[name] = ClaimResult(claim, measured[name], _verdict(measured[name], *chance), *chance)
    return found


def paired_runs(project: Project, claim: ClaimSettings, kept: Path, seeds: int | None) -> PairedRuns:
    """The runs of a claim that are kept for both sides, of its first `seeds` seeds or as many as it asks for."""
    first, second = (
        {seed: figures[claim.metric] for seed, figures in series.runs(kept).items() if series.number(seed) < count}
        for series, count in both_series(project, claim, seeds)
    )
    both = sorted(first.keys() & second.keys())
    return PairedRuns(*(np.array([side[seed] for seed in both], dtype=np.float64) for side in (first, second)))


def reported_runs(claim: ClaimSettings, told: Mapping[str, Any]) -> PairedRuns:
    """The runs that an entry of claims.json tells, none where it is about another comparison."""
    asked = claim_from_report(told).model_copy(update={"says": claim.says, "notebook": claim.notebook})
    first, second = (np.array(told[side]["values"] if asked == claim else [], float) for side in ("first", "second"))
    return PairedRuns(first, second, earlier=bool(len(first)))


def both_series(project: Project, claim: ClaimSettings, seeds: int | None) -> list[tuple[Series, int]]:
    """Both sides of a claim, with the number of their runs."""
    sides = zip(claim.sides, resolve_sides(project, claim), strict=True)
    return [
        (Series(side.experiment, resolved, project.runtime, claim.splits, side.changes), seeds or claim.seeds)
        for side, resolved in sides
    ]


def as_json(findings: Mapping[str, ClaimResult]) -> dict[str, Any]:
    """What the report reads."""
    return {
        "confidence": CONFIDENCE,
        "test": "t test of the differences, paired over seeds",
        "correction": f"Holm over the two tests of each of {_tested(findings)} claims",
        "claims": {name: _entry(finding) for name, finding in findings.items()},
    }


def markdown(findings: Mapping[str, ClaimResult]) -> str:
    """The claims for people."""
    lines = [_line(finding) for finding in findings.values()]
    return f"# Claims\n\n{_legend(findings)}\n\n{markdown_table(HEADER, lines)}\n"


def _chances(claim: ClaimSettings, pairs: PairedRuns) -> tuple[float, float]:
    """The chances for and against, of one claim alone."""
    differences, smallest = pairs.differences, claim.smallest
    if claim.direction == "lower":
        differences = -differences
    if claim.direction in ("higher", "lower"):
        return _above(differences, 0.0), _above(-differences, -smallest)
    within = max(_above(differences, -smallest), _above(-differences, -smallest))  # two one-sided tests
    apart = min(1.0, 2 * min(_above(differences, 0.0), _above(-differences, 0.0)))
    return (within, apart) if claim.direction == "equal" else (apart, within)


def _above(differences: np.ndarray, bound: float) -> float:
    """The chance of such differences, or higher ones, if their mean were not above a bound.

    Equal differences, such as those of 0 and 1 alone, give a t test no spread to work with: they are counted instead.
    """
    from scipy.stats import binomtest, ttest_1samp

    if np.ptp(differences) < 1e-12:
        count = len(differences)
        return float(binomtest(count if differences[0] > bound else 0, count, alternative="greater").pvalue)
    return float(ttest_1samp(differences, bound, alternative="greater").pvalue)


def _corrected(chances: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    from statsmodels.stats.multitest import multipletests

    if not chances:
        return {}
    flat = multipletests(np.ravel(list(chances.values())), alpha=LEVEL, method="holm")[1]
    for_and_against = flat.reshape(-1, 2).tolist()
    return dict(zip(chances, map(tuple, for_and_against), strict=True))


def _verdict(pairs: PairedRuns, chance_for: float | None, chance_against: float | None) -> Verdict:
    if not len(pairs.first):
        return Verdict.NOT_RUN
    if chance_for is None or chance_against is None:
        return Verdict.OPEN
    if chance_for < LEVEL:
        return Verdict.HOLDS
    return Verdict.FAILS if chance_against < LEVEL else Verdict.OPEN


def _entry(finding: ClaimResult) -> dict[str, Any]:
    about, pairs, difference = finding.claim.model_dump(mode="json"), finding.pairs, finding.difference
    return about | {
        "first": {**about["first"], "values": pairs.first.tolist()},
        "second": {**about["second"], "values": pairs.second.tolist()},
        "pairs": len(pairs.first),
        "difference": difference and difference._asdict(),
        "chance_for": finding.p_value_for,
        "chance_against": finding.p_value_against,
        "verdict": finding.verdict,
        "remark": finding.remark,
    }


def _line(finding: ClaimResult) -> list[str]:
    claim = finding.claim
    compared = [f"`{claim.first}`", f"`{claim.second}`", claim.shared_changes]
    found = [f"{claim.metric}, {claim.direction}", finding.text, str(len(finding.pairs.first))]
    verdict = ", ".join(filter(None, [f"**{finding.verdict}**", finding.remark]))
    return [claim.says, claim.notebook or "ours", *compared, *found, verdict]


def _tested(findings: Mapping[str, ClaimResult]) -> int:
    """How many claims share the level: those that ran often enough for a test."""
    return sum(finding.p_value_for is not None for finding in findings.values())


def _legend(findings: Mapping[str, ClaimResult]) -> str:
    return (
        "Each claim compares two trainings seed by seed, on equal test rows. It holds where a paired t test says so; "
        "it does not hold where the test says that the difference stays below the smallest that matters, or goes the "
        f"other way. Both at 5 % over all {_tested(findings)} tested claims together (Holm). Most run on part of the "
        "rows and for a few epochs, so that the whole set takes minutes: a verdict is about the comparison in its "
        "line, which stands in claims.yaml, and about nothing larger."
    )
