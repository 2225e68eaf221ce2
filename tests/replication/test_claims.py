"""Verdicts on made-up runs with known answers: a true effect, no effect, too few seeds."""

import json
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from statsmodels.stats.weightstats import DescrStatsW
from support.paths import PARAMS, ROOT

from modelyard import params
from modelyard.core.files import read_json, write_json
from modelyard.params.claim import FEWEST_PAIRS, ClaimSettings, Direction, Side
from modelyard.params.project import Project
from modelyard.replication import claims
from modelyard.replication.claims import Verdict, assess
from modelyard.replication.paired_runs import (
    FROM_REPORT,
    OTHER_CODE,
    UNKNOWN_CODE,
    PairedRuns,
    both_series,
    paired_runs,
    reported_runs,
)

SMALLEST = 0.5
STUDIES = 50
COMMON = {"changes": {"training.epochs": 4}, "splits": True}


def claim(direction: str = "higher", **changes: object) -> ClaimSettings:
    values = {
        "says": "the first is better",
        "first": Side(experiment="digits_mlp"),
        "second": Side(experiment="digits_mlp_onehot"),
        "metric": "accuracy",
        "direction": direction,
        "smallest": SMALLEST,
        "seeds": 10,
    }
    return ClaimSettings(**(values | changes))


def pairs(effect: float, seeds: int = 10, noise: float = 0.2, random_seed: int = 0) -> PairedRuns:
    """Runs of two sides whose seeds move both alike; the first is higher by `effect` and some noise."""
    random = np.random.default_rng(random_seed)
    shared = random.normal(scale=5, size=seeds)
    return PairedRuns(shared + effect + random.normal(scale=noise, size=seeds), shared)


def verdict(direction: str, runs: PairedRuns) -> Verdict:
    return assess({"one": claim(direction)}, {"one": runs}, {"one": len(runs)})["one"].verdict


@pytest.mark.parametrize(
    ("direction", "effect", "expected"),
    [
        ("higher", 2.0, Verdict.HOLDS),
        ("higher", 0.0, Verdict.FAILS),
        ("higher", -2.0, Verdict.FAILS),
        ("lower", -2.0, Verdict.HOLDS),
        ("lower", 0.0, Verdict.FAILS),
        ("lower", 2.0, Verdict.FAILS),
        ("not_lower", 2.0, Verdict.HOLDS),
        ("not_lower", 0.0, Verdict.HOLDS),
        ("not_lower", -2.0, Verdict.FAILS),
        ("not_higher", -2.0, Verdict.HOLDS),
        ("not_higher", 0.0, Verdict.HOLDS),
        ("not_higher", 2.0, Verdict.FAILS),
        ("equal", 0.0, Verdict.HOLDS),
        ("equal", 2.0, Verdict.FAILS),
        ("equal", -2.0, Verdict.FAILS),
        ("different", 2.0, Verdict.HOLDS),
        ("different", -2.0, Verdict.HOLDS),
        ("different", 0.0, Verdict.FAILS),
    ],
)
def test_a_clear_effect_and_a_clear_lack_of_one_are_distinguished(direction: str, effect: float, expected: Verdict):
    assert verdict(direction, pairs(effect)) is expected


@pytest.mark.parametrize("direction", get_args(Direction))
@pytest.mark.parametrize("effect", [0.0, 0.6, -0.6])
def test_few_noisy_seeds_settle_nothing(direction: str, effect: float):
    assert verdict(direction, pairs(effect, seeds=3, noise=3.0)) is Verdict.INCONCLUSIVE


def test_fewer_seeds_than_a_t_test_needs_settle_nothing_however_clear_they_are():
    assert verdict("higher", pairs(9.0, seeds=FEWEST_PAIRS)) is Verdict.HOLDS
    assert verdict("higher", pairs(9.0, seeds=FEWEST_PAIRS - 1)) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("direction", get_args(Direction))
def test_one_seed_settles_nothing_and_no_seed_is_not_run(direction: str):
    assert verdict(direction, pairs(9.0, seeds=1)) is Verdict.INCONCLUSIVE
    assert verdict(direction, pairs(9.0, seeds=0)) is Verdict.NOT_RUN


def test_a_difference_too_small_to_matter_holds_with_a_remark():
    result = assess({"one": claim("higher", seeds=40)}, {"one": pairs(0.1, seeds=40, noise=0.05)})["one"]
    assert result.verdict is Verdict.HOLDS
    assert 0 < result.difference.low < 0.1 < result.difference.high < SMALLEST
    assert result.remark == "by less than the 0.5 that would matter"


@pytest.mark.parametrize(("direction", "effect"), [("higher", 2.0), ("lower", -2.0), ("equal", 0.0), ("higher", 0.0)])
def test_other_verdicts_have_no_remark(direction: str, effect: float):
    assert assess({"one": claim(direction)}, {"one": pairs(effect)})["one"].remark == ""


def test_one_side_that_varies_much_more_makes_a_verdict_less_certain():
    steady, varied = np.linspace(0, 0.1, 10), np.linspace(2, 4, 10)
    for runs, sides in (((varied, steady), ("first", "second")), ((np.zeros(10), varied), ("second", "first"))):
        result = assess({"one": claim("different")}, {"one": PairedRuns(*runs)})["one"]
        much, little = sides
        assert result.remark == f"less certain, because the {much} varies more than 3 times as much as the {little}"
    equal = assess({"one": claim("higher")}, {"one": PairedRuns(np.ones(10), np.zeros(10))})["one"]
    assert equal.remark == "sign test, because all differences are equal; rare other ones may not have occurred"


def test_seeds_that_change_nothing_are_said_to_be_one_observation(project, tmp_path):
    compared = claim(first=Side(experiment="boston_linear"), second=Side(experiment="boston_mlp"), metric="mae")
    for number, (series, _) in enumerate(both_series(project, compared, None)):
        for offset in range(10):
            metrics = {"mae": 1.0 + number, "mse": 2.0}
            write_json(series.job(offset, tmp_path).file, {"metrics": metrics, "seconds": 1.0})
    result = assess({"one": compared}, {"one": paired_runs(project, compared, tmp_path, None)})["one"]
    assert (result.verdict, result.p_value_for, result.seeds_needed) == (Verdict.INCONCLUSIVE, None, None)
    assert result.remark == (
        "no metric of either side varies with the seed, which makes all seeds one observation, so it was not tested"
    )
    entry = json.loads(json.dumps(claims.as_json({"one": result})))["claims"]["one"]
    assert reported_runs(project, compared, entry).is_constant
    write_json(series.job(3, tmp_path).file, {"metrics": metrics | {"mse": 3.0}, "seconds": 1.0})
    assert not paired_runs(project, compared, tmp_path, None).is_constant


def test_more_seeds_than_planned_are_marked():
    result = assess({"one": claim()}, {"one": pairs(2.0, seeds=20)}, {"one": 20})["one"]
    assert (result.verdict, result.remark) == (Verdict.HOLDS, "tested with 20 seeds, 10 were planned")


def test_a_metric_that_the_data_do_not_have_is_not_taken_for_a_training_that_diverged(project, tmp_path):
    compared = claim(first=Side(experiment="boston_linear"), second=Side(experiment="boston_mlp"), metric="roc_auc")
    for series, _ in both_series(project, compared, None):
        for offset in range(10):
            write_json(series.job(offset, tmp_path).file, {"metrics": {"mae": float(offset)}, "seconds": 1.0})
    result = assess({"one": compared}, {"one": paired_runs(project, compared, tmp_path, None)})["one"]
    assert result.remark == "roc_auc is not measured for this data set, so it was not tested"
    entry = claims.as_json({"one": result})["claims"]["one"]
    assert reported_runs(project, compared, entry).is_unmeasured


def test_pairs_that_are_all_equal_have_no_probability_of_superiority():
    tied = assess({"one": claim("equal")}, {"one": PairedRuns(np.ones(10), np.ones(10))})["one"]
    assert (tied.verdict, tied.probability) == (Verdict.HOLDS, None)
    row = claims.markdown({"one": tied}).splitlines()[-1]
    assert "| +0 (+0 to +0) | 10 |" in row
    assert "| this test set |  |  | " in row


def test_only_tested_claims_share_the_level():
    names = {"tested": pairs(2.0), "once": pairs(2.0, seeds=1), "never": pairs(2.0, seeds=0)}
    results = assess({name: claim() for name in names}, names)
    assert claims.as_json(results)["correction"] == "Holm over the two tests of each of 1 claims"
    assert "to all 1 tested claims" in claims.markdown(results)


def test_the_seeds_that_a_claim_needs_are_those_for_its_share_of_the_level_once_it_is_tested():
    runs = {"open": pairs(0.0, noise=5.0), "pilot": pairs(0.0, seeds=3)}
    results = assess({name: claim() for name in runs}, runs)
    assert {name: result.level for name, result in results.items()} == {
        "open": claims.ALPHA / 2,
        "pilot": claims.ALPHA / 4,
    }


def test_the_test_is_paired_by_seed():
    paired = pairs(1.0)
    shuffled = PairedRuns(paired.first, np.roll(paired.second, 1))
    assert verdict("higher", paired) is Verdict.HOLDS
    assert verdict("higher", shuffled) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("seeds", "expected"), [(12, Verdict.HOLDS), (2, Verdict.INCONCLUSIVE)])
def test_equal_differences_are_tested_by_their_signs(seeds: int, expected: Verdict):
    assert verdict("higher", PairedRuns(np.ones(seeds), np.full(seeds, 0.5))) is expected
    assert verdict("equal", PairedRuns(np.ones(seeds), np.ones(seeds))) is expected
    assert verdict("lower", PairedRuns(np.zeros(seeds), np.full(seeds, 0.5))) is expected


def test_many_claims_need_more_evidence_than_one():
    weak = pairs(0.25, seeds=8, noise=0.3, random_seed=1)
    assert verdict("higher", weak) is Verdict.HOLDS
    names = [f"claim {number}" for number in range(40)]
    of_many = {name: pairs(0.0, seeds=5, noise=5.0, random_seed=number) for number, name in enumerate(names)}
    asked = {name: claim(seeds=5) for name in names} | {"weak": claim(seeds=8)}
    results = assess(asked, of_many | {"weak": weak})
    assert results["weak"].verdict is Verdict.INCONCLUSIVE
    assert results["weak"].p_value_for > assess({"one": claim(seeds=8)}, {"one": weak})["one"].p_value_for


@pytest.mark.parametrize(
    ("asked", "done", "expected", "remark"),
    [
        (None, 7, Verdict.INCONCLUSIVE, "7 of 20 seeds"),
        (None, 19, Verdict.INCONCLUSIVE, "19 of 20 seeds"),
        (None, 20, Verdict.HOLDS, ""),
        (30, 25, Verdict.INCONCLUSIVE, "25 of 30 seeds"),
    ],
)
def test_a_claim_is_tested_only_once_all_planned_seeds_are_there(
    asked: int | None, done: int, expected: Verdict, remark: str
):
    result = assess({"one": claim(seeds=20)}, {"one": pairs(5.0, seeds=done)}, {"one": asked})["one"]
    assert (result.verdict, result.remark) == (expected, remark)
    assert (result.p_value_for is None) == (expected is Verdict.INCONCLUSIVE)


def test_a_second_look_is_taken_only_at_its_number_of_seeds():
    planned = claim(seeds=6, second_look=12)
    runs = pairs(1.2, seeds=12, noise=0.8)
    first = assess({"one": planned}, {"one": runs.take(6)})["one"]
    assert (first.verdict, first.next_look) == (Verdict.INCONCLUSIVE, 12)
    between = assess({"one": planned}, {"one": runs.take(11)})["one"]
    assert (between.p_value_for, len(between.pairs)) == (first.p_value_for, 6)
    second = assess({"one": planned}, {"one": runs})["one"]
    assert (second.verdict, second.next_look, len(second.pairs)) == (Verdict.HOLDS, None, 12)
    early = assess({"one": planned}, {"one": pairs(9.0, seeds=5)})["one"]
    assert (early.p_value_for, early.next_look, early.remark.split(";")[0]) == (None, 6, "5 of 6 seeds")


def test_a_claim_that_is_settled_at_its_first_look_has_no_second():
    result = assess({"one": claim(seeds=6, second_look=12)}, {"one": pairs(5.0, seeds=6)})["one"]
    assert (result.verdict, result.next_look, result.remark) == (Verdict.HOLDS, None, "")


def test_each_look_spends_its_share_of_the_error():
    runs = pairs(0.3, seeds=12, noise=0.5)
    alone = [assess({"one": claim(seeds=count)}, {"one": runs.take(count)})["one"].p_value_for for count in (6, 12)]
    both = assess({"one": claim(seeds=6, second_look=12)}, {"one": runs})["one"].p_value_for
    assert both == pytest.approx(min(alone[0] / 0.25, alone[1] / 0.75))


def test_a_run_that_diverged_leaves_no_next_look():
    runs = PairedRuns(np.array([1.0] * 5 + [np.nan]), np.zeros(6))
    assert assess({"one": claim(seeds=6, second_look=12)}, {"one": runs})["one"].next_look is None


def test_a_crossed_claim_allows_for_other_test_samples():
    runs = pairs(1.0)
    on_these = assess({"one": claim()}, {"one": runs})["one"]
    crossed = assess({"one": claim(crossed=True)}, {"one": replace(runs, sample_variance=0.5)})["one"]
    assert (on_these.verdict, on_these.scope) == (Verdict.HOLDS, "this test set")
    assert (crossed.verdict, crossed.scope) == (Verdict.INCONCLUSIVE, "samples of this kind")
    assert crossed.difference.low < on_these.difference.low < on_these.difference.high < crossed.difference.high
    assert "no number of seeds would settle an effect of 0.5: it needs more test samples" in crossed.remark


@pytest.mark.parametrize("direction", ["equal", "higher"])
def test_a_crossed_claim_is_not_tested_if_no_test_sample_makes_a_difference(direction: str):
    runs = PairedRuns(np.ones(8), np.ones(8))
    result = assess({"one": claim(direction, crossed=True, seeds=8)}, {"one": runs})["one"]
    assert (result.verdict, result.p_value_for) == (Verdict.INCONCLUSIVE, None)
    assert result.remark == ("the difference stays the same when the test samples are resampled, so it was not tested")


def test_the_legend_says_what_a_crossed_verdict_is_about():
    runs = replace(pairs(5.0), sample_variance=0.01)
    text = claims.markdown(assess({"one": claim(crossed=True)}, {"one": runs}))
    assert (
        "with *test samples resampled* their variance is added, and the verdict is about samples of this kind" in text
    )
    assert "| test samples resampled | samples of this kind |" in text


@pytest.mark.slow
def test_the_familywise_error_is_at_most_five_percent():
    wrong = 0
    for study in range(STUDIES):
        pairs_by_name = {str(each): pairs(0.0, seeds=6, noise=3.0, random_seed=100 * study + each) for each in range(5)}
        results = assess({name: claim("higher", seeds=6) for name in pairs_by_name}, pairs_by_name)
        wrong += any(each.verdict is Verdict.HOLDS for each in results.values())
    assert wrong / STUDIES <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / STUDIES)


def test_equality_is_tested_as_in_statsmodels():
    pairs_by_name = pairs(0.2, seeds=9, noise=0.4)
    result = assess({"one": claim("equal", seeds=9)}, {"one": pairs_by_name})["one"]
    alone = DescrStatsW(pairs_by_name.differences).ttost_mean(-SMALLEST, SMALLEST)[0]
    assert result.p_value_for == pytest.approx(min(1.0, 2 * alone))  # Holm over two tests; this is the smaller one


@pytest.fixture
def results() -> dict[str, claims.ClaimResult]:
    names = {"clear": pairs(2.0), "single": pairs(1.0, seeds=1), "none": pairs(0.0, seeds=0)}
    names = {name: replace(runs, seconds=(2.0, 1.5)) for name, runs in names.items()}
    changed = Side(experiment="digits_mlp", changes={"model.dropout": 0.5})
    return assess(
        {name: claim(first=changed, notebook="" if name == "none" else "001", **COMMON) for name in names}, names
    )


def test_the_table_has_a_row_per_claim_with_sides_effect_and_verdict(results):
    *_, clear, single, none = claims.markdown(results).splitlines()
    sides = "| `digits_mlp with model.dropout 0.5` | `digits_mlp_onehot` | training.epochs 4, a split for each seed |"
    assert "| **holds** | accuracy, higher | +1.91 (+1.78 to +2.04) | 10 | " in clear
    about = f"{sides} samples of this kind |"
    assert clear.endswith(f"{about} +10.43 | 1.00 (0.72 to 1.00) | 1.1e-10 / 1 | 2.0 / 1.5 | 001 |")
    assert "| **inconclusive**; 1 of 10 seeds | accuracy, higher | +0.974 | 1 | " in single
    assert single.endswith("|  | 1.00 (0.21 to 1.00) |  | 2.0 / 1.5 | 001 |")
    assert "| **not run** | accuracy, higher |  | 0 | " in none
    assert none.endswith("|  |  |  | 2.0 / 1.5 | ours |")


def test_the_json_holds_every_run_and_the_interval(results):
    entries = claims.as_json(results)["claims"]
    clear = entries["clear"]
    assert (clear["verdict"], clear["pairs"]) == ("holds", 10)
    assert len(clear["first"]["values"]) == len(clear["second"]["values"]) == 10
    assert clear["difference"]["low"] < 2 < clear["difference"]["high"]
    assert clear["p_value_for"] < 0.05 < clear["p_value_against"]
    assert entries["single"]["difference"]["low"] is None
    assert entries["none"]["difference"] is None


def test_reported_runs_count_while_the_comparison_is_the_same(results, project):
    entry, asked = claims.as_json(results)["claims"]["clear"], results["clear"].claim
    reworded, other = (
        asked.model_copy(update=change) for change in ({"says": "in other words", "smallest": 0.1}, {"metric": "loss"})
    )
    reported = reported_runs(project, reworded, entry)
    np.testing.assert_array_equal(reported.differences, results["clear"].pairs.differences)
    assert reported.seconds == (2.0, 1.5)
    result = assess({"clear": reworded}, {"clear": reported})["clear"]
    assert (result.verdict, result.remark, result.pairs.origin) == (Verdict.HOLDS, "", UNKNOWN_CODE)
    assert f"\n\nAll are {UNKNOWN_CODE}.\n\n" in claims.markdown({"clear": result})
    both = claims.markdown({"clear": result, "now": results["clear"]})
    assert f"| **holds**; {UNKNOWN_CODE} |" in both
    assert "| **holds** |" in both
    result = assess({"clear": other}, {"clear": reported_runs(project, other, entry)})["clear"]
    assert (result.verdict, result.remark) == (Verdict.NOT_RUN, "")


def test_reported_runs_are_corrected_for_the_splits_that_they_had(results, project):
    entry = claims.as_json(results)["claims"]["clear"] | {"test_ratio": 0.375}
    assert reported_runs(project, results["clear"].claim, entry).test_ratio == 0.375


@pytest.fixture(scope="module")
def project() -> Project:
    return params.load(PARAMS)


def test_the_committed_report_is_of_the_claims_of_this_project(project):
    """Readers who have not run them see these values: an edited claim must be run again, or its entry deleted."""
    entries = read_json(ROOT / "reports" / "claims.json")["claims"]
    declared = params.load_claims(project, ROOT / "claims.yaml")
    assert all(len(reported_runs(project, declared[name], entry)) == entry["pairs"] for name, entry in entries.items())


def test_the_committed_table_is_that_of_the_committed_values(project):
    entries = read_json(ROOT / "reports" / "claims.json")["claims"]
    declared = params.load_claims(project, ROOT / "claims.yaml")
    pairs_by_name = {
        name: replace(reported_runs(project, declared[name], entry), origin=entry["origin"])
        for name, entry in entries.items()
    }
    results = assess({name: declared[name] for name in entries}, pairs_by_name)
    assert json.loads(json.dumps(claims.as_json(results)))["claims"] == entries
    assert claims.markdown(results) == (ROOT / "reports" / "claims.md").read_text(encoding="utf-8")


def test_each_claim_of_this_project_is_paired_over_seeds(project):
    declared = params.load_claims(project, ROOT / "claims.yaml")
    assert len(declared) >= 15
    for claim_settings in declared.values():
        (first, seeds), (second, seeds_of_second) = both_series(project, claim_settings, None)
        assert seeds == seeds_of_second == claim_settings.looks[-1] >= FEWEST_PAIRS
        assert first.resolved.seed == second.resolved.seed
        assert first.key != second.key


def test_the_runs_of_a_claim_are_those_whose_seed_both_sides_have(project, tmp_path):
    compared = claim(first=Side(experiment="boston_linear"), second=Side(experiment="boston_mlp"), metric="mae")
    (first, _), (second, _) = both_series(project, compared, None)
    for series, offsets in ((first, (0, 1, 3)), (second, (1, 2, 3))):
        for offset in offsets:
            write_json(series.job(offset, tmp_path).file, {"metrics": {"mae": float(offset)}})
    assert paired_runs(project, compared, tmp_path, None).first.tolist() == [1.0, 3.0]
    assert paired_runs(project, compared, tmp_path, 2).second.tolist() == [1.0]


def test_runs_of_other_code_or_settings_are_reported_as_such(results, project):
    entry, asked = claims.as_json(results)["claims"]["clear"], results["clear"].claim
    keys = tuple(series.key for series, _ in both_series(project, asked, None))
    for stored, origin in ((keys, FROM_REPORT), (("other", keys[1]), OTHER_CODE), (None, UNKNOWN_CODE)):
        assert reported_runs(project, asked, entry | {"keys": stored}).origin == origin


def test_sides_with_different_numbers_of_values_are_refused(results, project):
    entry = claims.as_json(results)["claims"]["clear"]
    damaged = entry | {"first": entry["first"] | {"values": [1.0]}}
    with pytest.raises(ValueError, match="different numbers of values"):
        reported_runs(project, results["clear"].claim, damaged)


def test_a_run_that_diverged_or_lacks_the_metric_is_never_averaged(project, tmp_path):
    compared = claim(first=Side(experiment="boston_linear"), second=Side(experiment="boston_mlp"), metric="mae")
    for series, _ in both_series(project, compared, None):
        for offset in range(6):
            write_json(series.job(offset, tmp_path).file, {"metrics": {"mae": float(offset)}, "seconds": 1.0})
    job = series.job(2, tmp_path)
    for metrics in ({"mae": None}, {"mse": 1.0}):
        write_json(job.file, {"metrics": metrics, "seconds": 1.0})
        runs = paired_runs(project, compared, tmp_path, None)
        assert (len(runs), runs.diverged, runs.seconds) == (6, 1, (1.0, 1.0))
        result = assess({"one": compared}, {"one": runs})["one"]
        assert (result.verdict, result.difference, result.p_value_for) == (Verdict.INCONCLUSIVE, None, None)
        assert result.remark == "no finite mae with 1 of 6 seeds, so it was not tested"
        assert claims.as_json({"one": result})["claims"]["one"]["second"]["values"][2] is None


def test_a_crossed_claim_counts_a_run_that_diverged_without_predictions(project, tmp_path):
    compared = claim(first=Side(experiment="boston_linear"), second=Side(experiment="boston_mlp"), metric="mae")
    compared = compared.model_copy(update={"crossed": True})
    for series, _ in both_series(project, compared, None):
        content = {"metrics": {"correlation": None}, "diverged": "the loss became nan", "seconds": 1.0}
        write_json(series.job(0, tmp_path).file, content)
    runs = paired_runs(project, compared, tmp_path, None)
    assert (len(runs), runs.diverged) == (1, 1)
    write_json(tmp_path / "claims.json", claims.as_json(assess({"one": compared}, {"one": runs})))


@pytest.mark.parametrize("direction", get_args(Direction))
def test_fewer_than_five_pairs_have_no_verdict(direction: str):
    result = assess({"one": claim(direction)}, {"one": pairs(9.0, seeds=4)})["one"]
    assert (result.verdict, result.p_value_for) == (Verdict.INCONCLUSIVE, None)
    assert result.remark == "4 of 10 seeds", "the spread of so few is no plan"


def test_redrawn_splits_need_more_evidence_than_other_seeds():
    once = pairs(0.25, seeds=8, noise=0.3, random_seed=1)
    redrawn = replace(once, test_ratio=0.6)
    assert verdict("higher", once) is Verdict.HOLDS
    assert verdict("higher", redrawn) is Verdict.INCONCLUSIVE
    results = [assess({"one": claim(seeds=8)}, {"one": runs})["one"].difference for runs in (once, redrawn)]
    assert results[1].low < results[0].low < results[0].high < results[1].high


@pytest.mark.parametrize(
    ("changes", "scope"),
    [
        ({"splits": True}, "samples of this kind"),
        ({}, "this test set"),
        ({"metric": "val_loss"}, "these validation samples"),
        ({"metric": "gap"}, "these validation samples"),
    ],
)
def test_a_verdict_says_which_samples_it_is_about(changes: dict, scope: str):
    assert assess({"one": claim(**changes)}, {"one": pairs(2.0)})["one"].scope == scope


def test_a_claim_that_is_not_settled_says_what_would_settle_it():
    noisy = replace(pairs(0.2, seeds=6, noise=1.0), seconds=(20.0, 10.0))
    plan = assess({"one": claim(seeds=6)}, {"one": noisy})["one"]
    assert plan.remark == f"{plan.seeds_needed} seeds would settle an effect of 0.5 (power 0.8, " + (
        f"{plan.seeds_needed / 2:.1f} minutes of training)"
    )
    redrawn = assess({"one": claim(seeds=6, splits=True)}, {"one": replace(noisy, test_ratio=0.5)})["one"]
    assert redrawn.remark.startswith("no number of seeds would settle an effect of 0.5, because re-drawn splits share")


def test_the_shares_of_samples_come_from_the_split_of_the_metric(project):
    declared = params.load_claims(project, ROOT / "claims.yaml")
    ratios = {name: max(side.test_ratio(each.metric) for side, _ in both_series(project, each, None))
              for name, each in declared.items()}  # fmt: skip
    assert ratios["boston_standardised"] == pytest.approx(102 / 404, rel=0.02)
    assert ratios["digits_minmax"] == pytest.approx(360 / 1149, rel=0.02)
    assert ratios["dropout"] == pytest.approx(288 / 1149, rel=0.02), "the gap is measured on validation samples"
    assert ratios["mnist_minmax"] == 0
