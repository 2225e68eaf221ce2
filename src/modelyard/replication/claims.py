"""Tests claims: each compares a metric of two experiments, paired by seed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from modelyard.core.report_text import markdown_table
from modelyard.metrics.bootstrap import CONFIDENCE
from modelyard.params.claim import FEWEST_PAIRS, ClaimSettings
from modelyard.replication.paired_runs import PairedRuns
from modelyard.replication.paired_tests import (
    CONSTANT,
    MOST_SEEDS,
    POWER,
    Probability,
    cohens_d,
    error_shares,
    p_values,
    probability_of_superiority,
    seeds_needed,
)
from modelyard.replication.seed_statistics import SeedStatistics, seed_statistics
from modelyard.replication.series import is_on_validation

HEADER = (
    "claim",
    "verdict",
    "metric",
    "first minus second (95 % interval)",
    "seeds",
    "first",
    "second",
    "both with",
    "is about",
    "Cohen's d",
    "P(first > second) (95 % interval)",
    "p for / against",
    "seconds a run",
    "notebook",
)
# Equal standard deviations differ by as much in 6 % of claims with five seeds, and in 0.3 % of those with ten (F test).
UNEVEN = 3.0
ALPHA = 1 - CONFIDENCE  # the significance level: the probability of at least one wrong verdict among all


class Verdict(StrEnum):
    """The outcome of a claim's test."""

    HOLDS = "holds"
    FAILS = "does not hold"
    INCONCLUSIVE = "inconclusive"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class ClaimResult:
    """A claim, its runs and its verdict.

    Attributes:
        claim: what was compared.
        pairs: the runs of both sides.
        verdict: the outcome.
        p_value_for: the probability of differences that favour the claim as much as these if it were wrong.
        p_value_against: the probability of differences that contradict it as much as these if it were right.
        level: the significance level that Holm's correction leaves for a claim that is not settled yet.
        looks: the numbers of seeds after which it is tested.

    Both p values are corrected over all claims (Holm), and None if the claim was not tested.
    """

    claim: ClaimSettings
    pairs: PairedRuns
    verdict: Verdict
    p_value_for: float | None = None
    p_value_against: float | None = None
    level: float = ALPHA
    looks: tuple[int, ...] = ()

    @property
    def is_measured(self) -> bool:
        """Whether there are runs, and all have a value."""
        return len(self.pairs) > 0 and not self.pairs.diverged

    @property
    def difference(self) -> SeedStatistics | None:
        """The effect: the mean of first minus second, with its confidence interval."""
        pairs = self.pairs
        return seed_statistics(pairs.differences, pairs.test_ratio, pairs.sample_variance) if self.is_measured else None

    @property
    def cohens_d(self) -> float | None:
        """The effect in standard deviations of the differences; None without spread."""
        return cohens_d(self.pairs.differences) if self.is_measured and len(self.pairs) > 1 else None

    @property
    def probability(self) -> Probability | None:
        """How probable it is that one run of the first has the higher metric.

        None if all pairs are equal, or if the test samples are resampled, whose variance it does not have.
        """
        if not self.is_measured or not np.any(self.pairs.differences) or self.claim.crossed:
            return None
        return probability_of_superiority(self.pairs.differences, self.pairs.test_ratio)

    @property
    def text(self) -> str:
        """The effect as text."""
        return self.difference.text if self.difference else ""

    @property
    def scope(self) -> str:
        """What the verdict is about: samples that were drawn once, or such samples in general."""
        if self.claim.splits or self.claim.crossed:
            return "samples of this kind"
        return "these validation samples" if is_on_validation(self.claim.metric) else "this test set"

    @property
    def is_negligible(self) -> bool:
        """Whether the confidence interval holds only differences too small to matter."""
        if not self.difference or not self.difference.interval:
            return False
        low, high = self.difference.interval
        return -self.claim.smallest < low <= high < self.claim.smallest

    @property
    def remark(self) -> str:
        """What the verdict alone would hide; from where its runs come is `pairs.origin`."""
        claims_difference = self.claim.direction in ("higher", "lower", "different")
        is_small = self.verdict is Verdict.HOLDS and claims_difference and self.is_negligible
        small = f"by less than the {self.claim.smallest:g} that would matter" if is_small else ""
        remarks = [small, self._missing, self._unplanned, self._plan, self._unevenness, self._constancy]
        return "; ".join(filter(None, remarks))

    @property
    def next_look(self) -> int | None:
        """How many seeds it is to be tested with next; None if it is settled, or no look is left."""
        if self.verdict not in (Verdict.INCONCLUSIVE, Verdict.NOT_RUN) or _obstacle(self.claim, self.pairs):
            return None
        return next((count for count in self.looks if count > len(self.pairs)), None)

    @property
    def seeds_needed(self) -> int | None:
        """How many seeds would settle it if the effect were the smallest that matters; None: too many, or not known."""
        sd = self.difference.sd if self.difference else None
        if self.verdict is not Verdict.INCONCLUSIVE or sd is None or _obstacle(self.claim, self.pairs):
            return None
        claim, pairs = self.claim, self.pairs
        count = seeds_needed(claim.direction, claim.smallest, sd, self.level, pairs.test_ratio, pairs.sample_variance)
        return count and max(count, FEWEST_PAIRS)

    @property
    def _missing(self) -> str:
        """Why it could not be tested, or what is missing."""
        count, wanted = len(self.pairs), self.next_look or self.claim.seeds
        if obstacle := _obstacle(self.claim, self.pairs):
            return f"{obstacle}, so it was not tested"
        return f"{count} of {wanted} seeds" if 0 < count < wanted else ""

    @property
    def _unplanned(self) -> str:
        """More seeds than the claim plans: whoever adds some until it fits is wrong more often."""
        count, planned = len(self.pairs), self.claim.looks[-1]
        is_unplanned = self.p_value_for is not None and count > planned
        return f"tested with {count} seeds, {planned} were planned" if is_unplanned else ""

    @property
    def _constancy(self) -> str:
        """Equal differences: the test is then one of signs."""
        if self.p_value_for is None or self.claim.crossed or np.ptp(self.pairs.differences) >= CONSTANT:
            return ""
        return "sign test, because all differences are equal; rare other ones may not have occurred"

    @property
    def _unevenness(self) -> str:
        """One side that varies much more: of rare bad runs of one side alone, too many verdicts are wrong."""
        if not self.is_measured or len(self.pairs) < FEWEST_PAIRS:
            return ""
        sds = {"first": np.std(self.pairs.first), "second": np.std(self.pairs.second)}
        little, much = sorted(sds, key=lambda side: sds[side])
        if sds[much] < CONSTANT or sds[much] < UNEVEN * sds[little]:
            return ""
        return f"less certain, because the {much} varies more than {UNEVEN:g} times as much as the {little}"

    @property
    def _plan(self) -> str:
        """What would settle a claim that is not settled."""
        is_tested = self.p_value_for is not None
        if self.verdict is not Verdict.INCONCLUSIVE or not is_tested or not self.difference:
            return ""
        smallest, count, seconds = f"{self.claim.smallest:g}", self.seeds_needed, self.pairs.seconds
        if count is None and self.claim.crossed:
            return f"no number of seeds would settle an effect of {smallest}: it needs more test samples"
        if count is None and self.claim.splits:
            return (
                f"no number of seeds would settle an effect of {smallest}, because re-drawn splits share samples: it "
                "needs more samples or another design"
            )
        if count is None:
            return f"not even {MOST_SEEDS:,} seeds would settle an effect of {smallest}"
        if count <= len(self.pairs):
            return f"{count} seeds would have settled an effect of {smallest} (power {POWER})"
        cost = f", {count * sum(seconds) / 60:.1f} minutes of training" if seconds else ""
        return f"{count} seeds would settle an effect of {smallest} (power {POWER}{cost})"


def assess(
    claims: Mapping[str, ClaimSettings], pairs: Mapping[str, PairedRuns], seeds: Mapping[str, int | None] | None = None
) -> dict[str, ClaimResult]:
    """The verdict on each claim, by paired t tests at a level of 5 % over all of them (Holm's correction).

    Where each seed draws its own split, the t test is the corrected resampled one (Nadeau and Bengio 2003). A claim
    with fewer pairs than are planned or than FEWEST_PAIRS, or with a run that diverged, is not tested: looking at each
    number of seeds that happens to be there would make a verdict wrong more often than in 5 %.

    Args:
        claims: the claims by name.
        pairs: the runs of each.
        seeds: the planned number of seeds by claim, not below the number that it states; None or absent: that number.
    """
    looks = {name: _looks(claim, (seeds or {}).get(name)) for name, claim in claims.items()}
    pairs = {name: _at_last_look(claims[name], runs) for name, runs in pairs.items()}
    tested = {name: runs for name, runs in pairs.items() if _is_tested(claims[name], looks[name], runs)}
    corrected = _holm({name: _p_values(claims[name], runs) for name, runs in tested.items()})
    rejected = sum(p_value < ALPHA for both in corrected.values() for p_value in both)
    results = {}
    for name, claim in claims.items():
        p_value_for, p_value_against = corrected.get(name, (None, None))
        hypotheses = 2 * len(tested.keys() | {name})
        level = ALPHA / max(1, hypotheses - rejected)  # of the next hypothesis that Holm's method would look at
        verdict = _verdict(pairs[name], p_value_for, p_value_against)
        results[name] = ClaimResult(claim, pairs[name], verdict, p_value_for, p_value_against, level, looks[name])
    return results


def as_json(results: Mapping[str, ClaimResult]) -> dict[str, Any]:
    """The content of claims.json, which the report reads."""
    return {
        "confidence": CONFIDENCE,
        "test": "t test of the differences, paired over seeds; where each seed draws its own split, the corrected "
        "resampled t test (Nadeau and Bengio 2003); where the test samples are resampled, with their variance added "
        "(Welch and Satterthwaite); equivalence by two one-sided tests (TOST)",
        "correction": f"Holm over the two tests of each of {_count_tested(results)} claims",
        "claims": {name: _entry(result) for name, result in results.items()},
    }


def common_origin(origins: Iterable[str]) -> str:
    """The origin that all claims with runs share, to be shown once; empty if they differ, or there is none."""
    different = set(origins)
    return different.pop() if len(different) == 1 else ""


def markdown(results: Mapping[str, ClaimResult]) -> str:
    """The content of claims.md."""
    common = common_origin(result.pairs.origin for result in results.values() if len(result.pairs))
    rows = [_row(result, shows_origin=not common) for result in results.values()]
    legend = _legend(results) + (f"\n\nAll are {common}." if common else "")
    return f"# Claims\n\n{legend}\n\n{markdown_table(HEADER, rows)}\n"


def _p_values(claim: ClaimSettings, pairs: PairedRuns) -> tuple[float, float]:
    """The p values for and against one claim, corrected over its looks but not over the claims."""
    looks = list(zip(claim.looks, error_shares(claim.looks), strict=True)) if claim.second_look else [(len(pairs), 1.0)]
    corrected = [
        np.array(
            p_values(
                claim.direction, pairs.differences[:count], claim.smallest, pairs.test_ratio, pairs.sample_variance
            )
        )
        / share
        for count, share in looks
        if count <= len(pairs)
    ]
    in_favour, against = np.minimum(1.0, np.min(corrected, axis=0))
    return float(in_favour), float(against)


def _at_last_look(claim: ClaimSettings, pairs: PairedRuns) -> PairedRuns:
    """The pairs of the last look that was reached: those beyond it are not looked at before the next."""
    reached = [count for count in claim.looks if count <= len(pairs)] if claim.second_look else []
    return pairs.take(reached[-1]) if reached else pairs


def _looks(claim: ClaimSettings, seeds: int | None) -> tuple[int, ...]:
    """The numbers of seeds after which a claim is tested; a second look is always that of the claim."""
    return (seeds,) if seeds and not claim.second_look else claim.looks


def _is_tested(claim: ClaimSettings, looks: tuple[int, ...], pairs: PairedRuns) -> bool:
    """Whether there are enough runs, and nothing is in the way of a test; a look is never taken early."""
    return len(pairs) >= max(FEWEST_PAIRS, looks[0]) and not _obstacle(claim, pairs)


def _obstacle(claim: ClaimSettings, pairs: PairedRuns) -> str:
    """Why a claim cannot be tested with any number of seeds, "" if it can."""
    if pairs.is_unmeasured:
        return f"{claim.metric} is not measured for this data set"
    if pairs.diverged:
        return f"no finite {claim.metric} with {pairs.diverged} of {len(pairs)} seeds"
    if pairs.is_constant and not (claim.splits or claim.crossed):
        return "no metric of either side varies with the seed, which makes all seeds one observation"
    if claim.crossed and len(pairs) >= FEWEST_PAIRS and not pairs.sample_variance:
        return "the difference stays the same when the test samples are resampled"
    return ""


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
        **{
            side: {**settings[side], "values": _finite_or_none(values), "seconds": seconds}
            for side, values, seconds in zip(
                ("first", "second"), (pairs.first, pairs.second), pairs.seconds or (None, None), strict=True
            )
        },
        "pairs": len(pairs),
        "test_ratio": pairs.test_ratio,
        **({"sample_variance": pairs.sample_variance} if result.claim.crossed else {}),
        "keys": pairs.keys,
        "origin": pairs.origin,
        **({"is_constant": True} if pairs.is_constant else {}),
        **({"is_unmeasured": True} if pairs.is_unmeasured else {}),
        "difference": difference and difference._asdict(),
        "cohens_d": result.cohens_d,
        "probability": result.probability and result.probability._asdict(),
        "p_value_for": result.p_value_for,
        "p_value_against": result.p_value_against,
        "verdict": result.verdict,
        "scope": result.scope,
        "seeds_needed": result.seeds_needed,
        "remark": result.remark,
    }


def _finite_or_none(values: np.ndarray) -> list[float | None]:
    """Values for JSON, which has no NaN."""
    return [value if np.isfinite(value) else None for value in values.tolist()]


def _row(result: ClaimResult, shows_origin: bool) -> list[str]:
    claim, pairs = result.claim, result.pairs
    verdict = "; ".join(filter(None, [f"**{result.verdict}**", result.remark, pairs.origin if shows_origin else ""]))
    effect = [f"{claim.metric}, {claim.direction}", result.text, str(len(pairs))]
    sides = [f"`{claim.first}`", f"`{claim.second}`", claim.shared_changes, result.scope]
    d = "" if result.cohens_d is None else f"{result.cohens_d:+.2f}"
    probability = "{:.2f} ({:.2f} to {:.2f})".format(*result.probability) if result.probability else ""
    p_values = " / ".join(f"{value:.2g}" for value in (result.p_value_for, result.p_value_against) if value is not None)
    seconds = " / ".join(f"{each:.1f}" for each in pairs.seconds or ())
    return [claim.says, verdict, *effect, *sides, d, probability, p_values, seconds, claim.notebook or "ours"]


def _count_tested(results: Mapping[str, ClaimResult]) -> int:
    """How many claims have enough runs for a test, and so share the significance level."""
    return sum(result.p_value_for is not None for result in results.values())


def _legend(results: Mapping[str, ClaimResult]) -> str:
    return (
        "Each claim compares two experiments seed by seed, on equal test samples of a data set. It holds if a paired t "
        "test supports it; it does not hold if the test shows that the difference is below the smallest one that "
        "matters, or has the opposite sign. Equality is an equivalence test (TOST), *not_lower* and *not_higher* are "
        "tests of non-inferiority: lower, or higher, by less than matters. Where the difference lies between zero and "
        "the smallest one that matters, both tests of a claim can succeed: it then holds.\n\n"
        "Where each seed draws its own split, the splits share samples, and the test is the corrected resampled t test "
        "(Nadeau and Bengio 2003), whose verdict is about samples of this kind. Where all seeds have the same test "
        "samples, the verdict is about this test set; with *test samples resampled* their variance is added, and the "
        "verdict is about samples of this kind.\n\n"
        f"The level of 5 % applies to all {_count_tested(results)} tested claims together (Holm): the p-values, for "
        "and against the claim, are corrected, and a verdict needs one below 0.05. The intervals are not corrected, "
        "each is of its claim alone: one beside *inconclusive* can exclude zero. Cohen's d is the mean difference in "
        "standard deviations of the differences. P(first > second) is the probability that one run of the first has "
        "the higher metric; it is left out where all pairs are equal, and where test samples are resampled. Seconds "
        "are the mean of a run of the first and of one of the second; runs share the machine. A verdict is *less "
        "certain* where one side varies much more "
        "than the other, because too many are wrong if that comes from rare bad runs (docs/claims.md).\n\n"
        "The number of seeds that would settle a claim is for a test of its own, with new seeds: seeds that are added "
        "until a verdict fits make it wrong more often than in 5 %. Most comparisons train on part of the samples and "
        "for a few epochs, so that all of them take minutes: a verdict is about the comparison in its row, as "
        "claims.yaml defines it, and says nothing beyond it."
    )
