"""Simulates claims whose truth is known, and counts false verdicts, power and the coverage of intervals.

    .venv/bin/python -m benchmarks.claim_verdicts     # writes docs/claims.md and docs/pictures/claim_power.png

Takes about a minute.
"""

import itertools
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import norm

from modelyard.core.files import atomic_file
from modelyard.core.report_text import fill, markdown_table
from modelyard.params.claim import Direction
from modelyard.replication.claims import ALPHA
from modelyard.replication.paired_tests import (
    DENIALS,
    error_shares,
    p_value_above,
    p_values,
    probability_of_superiority,
)

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "claims.md"
PICTURE = ROOT / "docs" / "pictures" / "claim_power.png"

CLAIMS = 2000  # of each setting
SMALLEST = 1.0
SD = SMALLEST / 2  # of the differences, from each source
EFFECTS = (0.0, 0.5, 1.0, 1.5, 2.0)  # in `smallest`: none, half of it, and real ones
DIRECTIONS: tuple[Direction, ...] = ("not_lower", "different", "equal")
REPEATS = (5, 7, 10, 15, 20)
LOOKS = ((5, 10), (8, 16), (5, 10, 15, 20))
SOURCES = {"seeds": "other seeds", "splits": "other splits", "both": "other seeds and splits"}
METRICS = ("normal", "heavy tails", "discrete", "skewed")
SAMPLES, TEST = 150, 30  # each split draws its test samples from all samples
TEST_RATIO = TEST / (SAMPLES - TEST)
STEP = SMALLEST / 4  # between the values of a discrete metric

Values = npt.NDArray[np.float64]


def simulate(claims: int = CLAIMS, seed: int = 0) -> pd.DataFrame:
    """Test made-up claims "the first is higher", each alone.

    Returns:
        A row per source of variance, metric, effect, number of repeats, and test (corrected, as claims are tested, or
        not). Columns: the shares of claims that hold and that do not, of false verdicts, of intervals of the mean that
        cover it, and (of a normal metric) of those of P(first > second).
    """
    random = np.random.default_rng(seed)
    rows = []
    for source, metric in itertools.product(SOURCES, METRICS):
        noise = _noise(random, source, metric, claims)
        for effect, repeats, is_corrected in itertools.product(EFFECTS, REPEATS, (True, False)):
            setting = {"source": source, "metric": metric, "effect": effect, "repeats": repeats}
            test_ratio = TEST_RATIO if is_corrected and source != "seeds" else 0.0
            differences = effect * SMALLEST + noise[:, :repeats]
            differences = _rounded(differences, metric)
            row = setting | {"is_corrected": is_corrected} | _shares(differences, effect * SMALLEST, test_ratio)
            if metric == "normal":
                sd = SD * np.sqrt(2 if source == "both" else 1)
                row["probability"] = _covered(differences, norm.cdf(effect * SMALLEST / sd), test_ratio)
            rows.append(row)
    return pd.DataFrame(rows)


def simulate_directions(claims: int = 10 * CLAIMS, seed: int = 3) -> pd.DataFrame:
    """Test made-up claims about other seeds of each direction that `simulate` does not test.

    Returns:
        A row per direction, metric, effect and number of repeats; columns: the shares of false verdicts and of claims
        that hold and that do not.
    """
    random = np.random.default_rng(seed)
    rows = []
    for metric in METRICS:
        noise = _noise(random, "seeds", metric, claims)
        effects = (*(-effect for effect in EFFECTS[:0:-1]), *EFFECTS)
        for direction, effect, repeats in itertools.product(DIRECTIONS, effects, REPEATS):
            differences = _rounded(effect * SMALLEST + noise[:, :repeats], metric)
            both = np.array(p_values(direction, differences, SMALLEST))
            row = {"direction": direction, "metric": metric, "effect": effect, "repeats": repeats}
            rows.append(row | _verdicts(both, effect * SMALLEST, direction))
    return pd.DataFrame(rows)


def simulate_looks(claims: int = CLAIMS, seed: int = 1) -> pd.DataFrame:
    """Test made-up claims at preset looks, and, for comparison, with seeds that are added until a verdict fits.

    Returns:
        A row per metric, looks, effect and way; columns: the shares of false verdicts and of claims that hold.
    """
    random = np.random.default_rng(seed)
    rows = []
    for metric in METRICS[:-1]:
        noise = _noise(random, "seeds", metric, claims)
        for effect, looks in itertools.product(EFFECTS, LOOKS):
            differences = _rounded(effect * SMALLEST + noise, metric)
            of_looks = [np.array(p_values("higher", differences[:, :count], SMALLEST)) for count in looks]
            shares = {"a share each": error_shares(looks), "the whole error each": np.ones(len(looks))}
            for way, share in shares.items():
                both = np.min([values / part for values, part in zip(of_looks, share, strict=True)], axis=0)
                row = {"metric": metric, "looks": " and ".join(map(str, looks)), "effect": effect, "way": way}
                rows.append(row | _verdicts(np.minimum(1, both), effect * SMALLEST))
    return pd.DataFrame(rows)


def simulate_crossed(claims: int = CLAIMS, seed: int = 2) -> pd.DataFrame:
    """Test made-up claims about samples of a kind by runs that share their test samples: crossed, and by seeds alone.

    Returns:
        As `simulate_looks`, with the number of repeats and the coverage of the interval of the mean.
    """
    random = np.random.default_rng(seed)
    rows = []
    for metric in METRICS[:-1]:
        of_seeds = SD * _unit(random, metric, (claims, max(REPEATS)))
        of_samples = SD * np.sqrt(TEST) * _unit(random, metric, (claims, TEST))
        for effect, repeats in itertools.product(EFFECTS, REPEATS):
            both = random.normal(scale=SD * np.sqrt(TEST), size=(claims, repeats, TEST))  # a seed on a sample
            differences = effect * SMALLEST + of_seeds[:, :repeats, None] + of_samples[:, None] + both
            # Of a mean, the bootstrap over samples has this variance, whatever the number of resamples.
            variance = differences.mean(1).var(-1) / TEST
            for way, of_design in {"crossed": variance, "seeds alone": 0.0}.items():
                row = {"metric": metric, "effect": effect, "repeats": repeats, "way": way}
                rows.append(row | _shares(differences.mean(-1), effect * SMALLEST, 0.0, of_design))
    return pd.DataFrame(rows)


def limit(claims: int = CLAIMS) -> float:
    """The share of false verdicts that a test at the level ALPHA may show by chance: three standard errors more."""
    return ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / claims)


def _noise(random: np.random.Generator, source: str, metric: str, claims: int) -> Values:
    """Differences without an effect, of shape (claims, repeats).

    Each seed adds noise of its own. Each split measures other samples of the same data set, whose differences are drawn
    once per claim: the truth is the mean of all such samples, not that of the data set.
    """
    repeats, noise = max(REPEATS), 0.0
    if source != "splits":
        noise = noise + SD * _unit(random, metric, (claims, repeats))
    if source != "seeds":
        of_samples = SD * np.sqrt(TEST) * _unit(random, metric, (claims, SAMPLES))
        drawn = random.random((claims, repeats, SAMPLES)).argpartition(TEST, axis=-1)[..., :TEST]
        noise = noise + np.take_along_axis(of_samples[:, None, :], drawn, axis=-1).mean(-1)
    return noise


def _unit(random: np.random.Generator, metric: str, shape: tuple[int, int]) -> Values:
    """Differences with mean 0 and standard deviation 1."""
    if metric == "heavy tails":  # either side is sometimes much worse: Laplace's distribution, symmetric
        return (random.exponential(size=shape) - random.exponential(size=shape)) / np.sqrt(2)
    if metric == "skewed":  # the first alone is sometimes much worse
        return 1 - random.exponential(size=shape)
    return random.normal(size=shape)


def _rounded(differences: Values, metric: str) -> Values:
    return np.round(differences / STEP) * STEP if metric == "discrete" else differences


def _shares(
    differences: Values, truth: float, test_ratio: float, sample_variance: float | Values = 0.0
) -> dict[str, float]:
    design = (test_ratio, sample_variance)
    above, below = (p_value_above(sign * differences, sign * truth, *design) for sign in (1, -1))
    covered = np.minimum(above, below) >= ALPHA / 2  # the interval is what a two-sided test does not reject
    verdicts = _verdicts(np.array(p_values("higher", differences, SMALLEST, *design)), truth)
    return verdicts | {"coverage": covered.mean()}


def _verdicts(p_values_of_both: Values, truth: float, direction: Direction = "higher") -> dict[str, float]:
    corrected = holm_of_two(p_values_of_both)
    holds = corrected[0] < ALPHA
    fails = ~holds & (corrected[1] < ALPHA)
    effect = {"not_lower": -truth, "different": abs(truth), "equal": abs(truth)}.get(direction, truth)
    without, beyond = (fails, holds) if direction in DENIALS else (holds, fails)
    # Of effects between zero and the smallest that matters, neither verdict is false.
    is_false = without if effect <= 0 else beyond if effect >= SMALLEST else np.zeros_like(holds)
    return {"holds": holds.mean(), "fails": fails.mean(), "false": is_false.mean()}


def holm_of_two(p_values_of_both: Values) -> Values:
    """Holm's correction of two p values each, of shape (2, claims); replication.claims corrects over all claims."""
    others = p_values_of_both[::-1]
    smaller = p_values_of_both <= others
    return np.minimum(1, np.where(smaller, 2 * p_values_of_both, np.maximum(2 * others, p_values_of_both)))


def _covered(differences: Values, truth: float, test_ratio: float) -> float:
    """The share of intervals of P(first > second) that hold the truth; they depend on the number of signs alone."""
    repeats = differences.shape[-1]
    intervals = [
        probability_of_superiority(np.where(np.arange(repeats) < wins, 1.0, -1.0), test_ratio)
        for wins in range(repeats + 1)
    ]
    is_covered = np.array([each.low <= truth <= each.high for each in intervals])
    return float(is_covered[(differences > 0).sum(-1)].mean())


def _tables(results: pd.DataFrame, directions: pd.DataFrame, looks: pd.DataFrame, crossed: pd.DataFrame) -> str:
    tested = results[results.is_corrected]
    parts = [
        f"{CLAIMS:,} claims of each setting; a split measures {TEST} of {SAMPLES} samples. False verdicts, in percent, "
        f"of the effect with most of them: at most {limit():.1%} is chance ({ALPHA:.0%} and three standard errors).",
        _table(results, "false", "max"),
        "Intervals of the mean difference that cover it, in percent, of the effect with fewest:",
        _table(results, "coverage", "min"),
        "Intervals of P(first > second) that cover it, in percent, of a normal metric and the effect with fewest:",
        _table(tested[tested.metric == "normal"], "probability", "min"),
        f"{10 * CLAIMS:,} claims of each other direction, about other seeds. False verdicts, in percent, of the effect "
        "with most:",
        _pivot(directions, ["metric", "direction"], "repeats", "false"),
        "Claims about other seeds, tested at several looks. False verdicts, in percent, of the effect with most:",
        _pivot(looks, ["metric", "way"], "looks", "false"),
        f"Claims about samples of this kind, by runs that share {TEST} test samples. False verdicts, in percent:",
        _pivot(crossed, ["metric", "way"], "repeats", "false"),
        f"![Power]({PICTURE.relative_to(PAGE.parent).as_posix()})",
    ]
    return "\n\n".join(part.strip() for part in parts)


def _table(results: pd.DataFrame, column: str, most: str) -> str:
    """Shares in percent: a row per setting, a column per number of repeats."""
    keys = ["source", "metric", "is_corrected"]
    table = results[results.is_corrected | (results.source != "seeds")]
    table = table.pivot_table(index=keys, columns="repeats", values=column, aggfunc=most, sort=False)
    rows = [
        (
            SOURCES[source],
            metric,
            "corrected" if is_corrected and source != "seeds" else "t test",
            *(f"{100 * value:.1f}" for value in values),
        )
        for (source, metric, is_corrected), values in zip(table.index, table.to_numpy(), strict=True)
    ]
    return markdown_table(("runs differ by", "metric", "test", *(f"{repeats} repeats" for repeats in REPEATS)), rows)


def _pivot(results: pd.DataFrame, keys: list[str], columns: str, value: str) -> str:
    """The largest share of any effect in percent: a row per setting, a column per value of `columns`."""
    table = results.pivot_table(index=keys, columns=columns, values=value, aggfunc="max", sort=False)
    names = [f"{name} {'repeats' if columns == 'repeats' else 'seeds'}" for name in table.columns]
    rows = [
        (*key, *(f"{100 * share:.1f}" for share in shares))
        for key, shares in zip(table.index, table.to_numpy(), strict=True)
    ]
    return markdown_table((*("test" if key == "way" else key for key in keys), *names), rows)


def _draw_power(results: pd.DataFrame) -> None:
    figure = Figure(figsize=(9, 3), layout="constrained")
    panels = figure.subplots(1, len(SOURCES), sharey=True)
    tested = results[results.is_corrected & (results.metric == "normal")]
    for axes, (source, title) in zip(panels, SOURCES.items(), strict=True):
        for repeats in REPEATS:
            line = tested[(tested.source == source) & (tested.repeats == repeats)]
            axes.plot(line.effect, line.holds, "o-", markersize=3, label=f"{repeats} repeats")
        axes.axhline(ALPHA, color="grey", linewidth=0.8, linestyle=":")
        axes.set(title=title, xlabel="true effect / smallest")
    panels[0].set_ylabel("share that holds")
    panels[-1].legend(fontsize="small")
    with atomic_file(PICTURE) as temporary:
        figure.savefig(temporary, format="png", dpi=110, metadata={"Software": None})


def main() -> None:
    """Write the results into the page, between its markers."""
    results = simulate()
    _draw_power(results)
    fill(PAGE, f"\n{_tables(results, simulate_directions(), simulate_looks(), simulate_crossed())}\n")


if __name__ == "__main__":
    main()
