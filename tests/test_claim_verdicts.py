"""Verdicts on made-up claims whose truth is known: a small version of benchmarks/claim_verdicts.py."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from benchmarks import claim_verdicts
from benchmarks.claim_verdicts import limit, simulate, simulate_crossed, simulate_directions, simulate_looks

CLAIMS = 400


@pytest.fixture(scope="module")
def results() -> pd.DataFrame:
    """Without the metric that the tests are known not to withstand, which docs/claims.md names."""
    simulated = simulate(CLAIMS)
    return simulated[simulated.metric != "skewed"]


def test_at_most_five_percent_of_verdicts_are_false(results):
    assert results[results.is_corrected].false.max() <= limit(CLAIMS)


def test_at_most_five_percent_of_verdicts_are_false_in_every_direction():
    simulated = simulate_directions(4 * CLAIMS)
    assert simulated[simulated.metric != "skewed"].false.max() <= limit(4 * CLAIMS)
    shares = simulated[(simulated.metric == "normal") & (simulated.repeats == 20)].set_index(["direction", "effect"])
    assert shares.holds["not_lower", 0.0] > 0.9 < shares.fails["not_lower", -1.0]
    assert shares.holds["equal", 0.0] > 0.9 < shares.fails["equal", 1.0]
    assert shares.holds["different", 1.0] > 0.9 < shares.fails["different", 0.0]


def test_without_the_correction_more_verdicts_about_splits_are_false(results):
    uncorrected = results[~results.is_corrected & (results.source == "splits") & (results.effect == 0)]
    assert (uncorrected[uncorrected.repeats >= 7].false > limit(CLAIMS)).all()


def test_intervals_cover_the_truth(results):
    assert results[results.is_corrected].coverage.min() >= 0.93 - 3 * np.sqrt(0.93 * 0.07 / CLAIMS)


def test_more_repeats_and_larger_effects_have_more_power(results):
    real = results[results.is_corrected & (results.metric == "normal") & (results.effect >= 1)]
    power = real.pivot_table(index=["source", "effect"], columns="repeats", values="holds")
    assert (power[20] >= power[5]).all()
    assert (power.xs(2.0, level="effect") >= power.xs(1.0, level="effect")).all().all()


def test_two_p_values_are_corrected_as_in_statsmodels():
    both = np.random.default_rng(0).random((2, 50)) ** 3
    expected = np.array([multipletests(each, method="holm")[1] for each in both.T]).T
    np.testing.assert_allclose(claim_verdicts.holm_of_two(both), expected)


def test_looks_with_a_share_of_the_error_each_give_few_false_verdicts():
    false = simulate_looks(CLAIMS).groupby("way").false.max()
    assert false["a share each"] <= limit(CLAIMS) < false["the whole error each"]


def test_a_crossed_design_is_right_about_samples_of_this_kind_and_seeds_alone_are_not():
    results = simulate_crossed(CLAIMS).groupby("way")
    assert results.false.max()["crossed"] <= limit(CLAIMS) < results.false.max()["seeds alone"]
    assert results.coverage.min()["crossed"] >= 0.93 - 3 * np.sqrt(0.93 * 0.07 / CLAIMS)
