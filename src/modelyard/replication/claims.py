"""Tests claims: each compares a metric of two experiments, paired by seed."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from modelyard.core.report_text import markdown_table
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
    "first minus second (95 % interval)",
    "seeds",
    "verdict",
)
FROM_REPORT = "settled earlier, not run here"
DISPLAY = {"says", "notebook"}  # of a claim: they change no result
ALPHA = 1 - CONFIDENCE  # the significance level: the probability of at least one wrong verdict among all

Values = npt.NDArray[np.float64]


class Verdict(StrEnum):
    """The outcome of a claim's test."""

    HOLDS = "holds"
    FAILS = "does not hold"
    INCONCLUSIVE = "inconclusive"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class PairedRuns:
    """A metric of both sides of a claim, each of shape (seeds,); `from_report` if claims.json supplied the values."""

    first: Values
    second: Values
    from_report: bool = False

    def __len__(self) -> int:
        return len(self.first)

    @property
    def differences(self) -> Values:
        """First minus second, seed by seed."""
        differences: Values = self.first - self.second
        return differences


@dataclass(frozen=True)
class ClaimResult:
    """A claim, its runs and its verdict.

    Attributes:
        claim: what was compared.
        pairs: the runs of both sides.
        verdict: the outcome.
        p_value_for: the probability of differences that favour the claim as much as these if it were wrong.
        p_value_against: the probability of differences that contradict it as much as these if it were right.

    Both p values are corrected over all claims (Holm), and None with fewer than two pairs.
    """

    claim: ClaimSettings
    pairs: PairedRuns
    verdict: Verdict
    p_value_for: float | None = None
    p_value_against: float | None = None

    @property
    def difference(self) -> SeedStatistics | None:
        """The effect size: the mean of first minus second, with its confidence interval."""
        return seed_statistics(self.pairs.differences) if len(self.pairs) else None

    @property
    def text(self) -> str:
        """The effect size as text."""
        return self.difference.text if self.difference else ""

    @property
    def is_negligible(self) -> bool:
        """Whether the confidence interval holds only differences too small to matter."""
        if not self.difference or not self.difference.interval:
            return False
        low, high = self.difference.interval
        return -self.claim.smallest < low <= high < self.claim.smallest

    @property
    def remark(self) -> str:
        """What the verdict alone would hide: a difference too small to matter, or values from an earlier report."""
        is_small = self.verdict is Verdict.HOLDS and self.claim.direction != "equal" and self.is_negligible
        small = f"by less than the {self.claim.smallest:g} that would matter" if is_small else ""
        return ", ".join(filter(None, [small, FROM_REPORT if self.pairs.from_report else ""]))


def assess(claims: Mapping[str, ClaimSettings], pairs: Mapping[str, PairedRuns]) -> dict[str, ClaimResult]:
    """The verdict on each claim, by paired t tests at a level of 5 % over all of them (Holm's correction).

    Args:
        claims: the claims by name.
        pairs: the runs of each.
    """
    p_values = _holm({name: _p_values(claims[name], runs) for name, runs in pairs.items() if len(runs) > 1})
    results = {}
    for name, claim in claims.items():
        of_claim = p_values.get(name, (None, None))
        results[name] = ClaimResult(claim, pairs[name], _verdict(pairs[name], *of_claim), *of_claim)
    return results


def paired_runs(project: Project, claim: ClaimSettings, folder: Path, seeds: int | None) -> PairedRuns:
    """The runs kept in `folder` for both sides of a claim: of `seeds` seeds, or of the number that the claim states."""
    first, second = (
        {
            seed: values[claim.metric]
            for seed, values in series.metrics(folder).items()
            if series.seed_offset(seed) < count
        }
        for series, count in both_series(project, claim, seeds)
    )
    common = sorted(first.keys() & second.keys())
    return PairedRuns(
        np.array([first[seed] for seed in common], float), np.array([second[seed] for seed in common], float)
    )


def reported_runs(claim: ClaimSettings, entry: Mapping[str, Any]) -> PairedRuns:
    """The runs of a claim's entry in claims.json; none if its comparison has changed since."""
    # Compared as JSON: lists of claims.yaml are tuples.
    now, then = (each.model_dump(mode="json", exclude=DISPLAY) for each in (claim, claim_from_report(entry)))
    first, second = (np.array(entry[side]["values"] if now == then else [], float) for side in ("first", "second"))
    return PairedRuns(first, second, from_report=bool(len(first)))


def both_series(project: Project, claim: ClaimSettings, seeds: int | None) -> list[tuple[Series, int]]:
    """The series of both sides of a claim, each with its number of seeds."""
    sides = zip(claim.sides, resolve_sides(project, claim), strict=True)
    return [
        (Series(side.experiment, resolved, project.runtime, claim.splits, side.changes), seeds or claim.seeds)
        for side, resolved in sides
    ]


def as_json(results: Mapping[str, ClaimResult]) -> dict[str, Any]:
    """The content of claims.json, which the report reads."""
    return {
        "confidence": CONFIDENCE,
        "test": "t test of the differences, paired over seeds",
        "correction": f"Holm over the two tests of each of {_count_tested(results)} claims",
        "claims": {name: _entry(result) for name, result in results.items()},
    }


def markdown(results: Mapping[str, ClaimResult]) -> str:
    """The content of claims.md."""
    rows = [_row(result) for result in results.values()]
    return f"# Claims\n\n{_legend(results)}\n\n{markdown_table(HEADER, rows)}\n"


def _p_values(claim: ClaimSettings, pairs: PairedRuns) -> tuple[float, float]:
    """The p values for and against one claim, uncorrected."""
    differences, smallest = pairs.differences, claim.smallest
    if claim.direction == "lower":
        differences = -differences
    if claim.direction in ("higher", "lower"):
        return _p_value_above(differences, 0.0), _p_value_above(-differences, -smallest)
    equal = max(_p_value_above(differences, -smallest), _p_value_above(-differences, -smallest))  # two one-sided tests
    different = min(1.0, 2 * min(_p_value_above(differences, 0.0), _p_value_above(-differences, 0.0)))
    return (equal, different) if claim.direction == "equal" else (different, equal)


def _p_value_above(differences: Values, bound: float) -> float:
    """The one-sided p value of "the mean difference is above a bound".

    Equal differences, as of metrics that are all 0 or 1, have no variance for a t test: a sign test replaces it.
    """
    from scipy.stats import binomtest, ttest_1samp

    if np.ptp(differences) < 1e-12:
        count = len(differences)
        return float(binomtest(count if differences[0] > bound else 0, count, alternative="greater").pvalue)
    return float(ttest_1samp(differences, bound, alternative="greater").pvalue)


def _holm(p_values: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    """Both p values of each claim, corrected over all. Source: statsmodels.stats.multitest.multipletests."""
    from statsmodels.stats.multitest import multipletests

    if not p_values:
        return {}
    corrected = multipletests(np.ravel(list(p_values.values())), alpha=ALPHA, method="holm")[1].reshape(-1, 2)
    return {
        name: (float(in_favour), float(against)) for name, (in_favour, against) in zip(p_values, corrected, strict=True)
    }


def _verdict(pairs: PairedRuns, p_value_for: float | None, p_value_against: float | None) -> Verdict:
    if not len(pairs):
        return Verdict.NOT_RUN
    if p_value_for is None or p_value_against is None:
        return Verdict.INCONCLUSIVE
    if p_value_for < ALPHA:
        return Verdict.HOLDS
    return Verdict.FAILS if p_value_against < ALPHA else Verdict.INCONCLUSIVE


def _entry(result: ClaimResult) -> dict[str, Any]:
    settings, pairs, difference = result.claim.model_dump(mode="json"), result.pairs, result.difference
    return settings | {
        "first": {**settings["first"], "values": pairs.first.tolist()},
        "second": {**settings["second"], "values": pairs.second.tolist()},
        "pairs": len(pairs),
        "difference": difference and difference._asdict(),
        "p_value_for": result.p_value_for,
        "p_value_against": result.p_value_against,
        "verdict": result.verdict,
        "remark": result.remark,
    }


def _row(result: ClaimResult) -> list[str]:
    claim = result.claim
    sides = [f"`{claim.first}`", f"`{claim.second}`", claim.shared_changes]
    effect = [f"{claim.metric}, {claim.direction}", result.text, str(len(result.pairs))]
    verdict = ", ".join(filter(None, [f"**{result.verdict}**", result.remark]))
    return [claim.says, claim.notebook or "ours", *sides, *effect, verdict]


def _count_tested(results: Mapping[str, ClaimResult]) -> int:
    """How many claims have enough runs for a test, and so share the significance level."""
    return sum(result.p_value_for is not None for result in results.values())


def _legend(results: Mapping[str, ClaimResult]) -> str:
    return (
        "Each claim compares two experiments seed by seed, on equal test samples. It holds if a paired t test supports "
        "it; it does not hold if the test shows that the difference is below the smallest one that matters, or has the "
        f"opposite sign. The level of 5 % applies to all {_count_tested(results)} tested claims together (Holm). Most "
        "comparisons train on part of the samples and for a few epochs, so that all of them take minutes: a verdict is "
        "about the comparison in its row, as claims.yaml defines it, and says nothing beyond it."
    )
