"""Candidates of a search over seeds: trained without test samples, ranked, and paired with the baseline."""

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_rel
from statsmodels.stats.multitest import multipletests
from support.engines import Here
from support.paths import PARAMS
from support.replications import NO_LIMIT, series_of

from modelyard import params
from modelyard.core.errors import ModelyardError
from modelyard.core.files import read_json, write_json
from modelyard.data import inputs
from modelyard.data.cross_validation import split_folds
from modelyard.params.project import Project
from modelyard.replication import confirmation, series, single_run
from modelyard.replication.confirmation import SEEDS, Configuration, Score
from modelyard.replication.series import Series

BASELINE, TREES, MORE = (
    Configuration(None, {}),
    Configuration(4, {"model.n_estimators": 9}),
    Configuration(7, {"model.n_estimators": 30}),
)


@pytest.fixture
def run_here(tmp_path: Path, kept: Path):
    """Does the missing runs of confirmations in this process; returns their outcomes."""

    def run(wanted: list[Series], folds: int | None = None, seeds: int = SEEDS) -> list:
        jobs = series.missing_jobs([(each, seeds) for each in wanted], kept)
        work = partial(single_run.train_and_validate, folds=folds, split_seed=3)
        return list(series.run_jobs(jobs, tmp_path / "raw", Here(), NO_LIMIT, work))

    return run


def of(project: Project, configuration: Configuration) -> tuple[Configuration, Series]:
    return configuration, confirmation.series_of(project, "boosting", configuration)


def keep(each: Series, values: list[float | None], kept: Path, metric: str = "val_mae") -> None:
    """Write the runs of a series as if they had been done."""
    for offset, value in enumerate(values):
        write_json(each.job(offset, kept).file, {"metrics": {metric: value}, "seconds": 1.0, "epochs": 1})


def test_the_runs_have_seeds_that_the_search_did_not_use_and_metrics_of_validation_samples_alone(
    project: Project, run_here, kept: Path
) -> None:
    _, baseline = of(project, BASELINE)
    outcomes = run_here([baseline])
    assert [outcome.job.resolved.seed for outcome in outcomes] == [8, 9, 10, 11, 12], "that of params.yaml is 7"
    metrics = list(baseline.metrics(kept).values())
    assert all(name.startswith("val_") for values in metrics for name in values)
    assert len({values["val_mae"] for values in metrics}) == SEEDS
    again = series_of(project, "boosting", **{"training.seed": 8})
    run = single_run.prepared_inputs([again.job(0, kept)], kept.parent / "raw")
    with run as (prepared,):
        whole = single_run.train_and_evaluate(prepared)["metrics"]
        shutil.rmtree(prepared.folder(again.resolved) / "test")
        alone = single_run.train_and_validate(prepared, None, 3)["metrics"]
    assert alone == metrics[0] == {name: value for name, value in whole.items() if name.startswith("val_")}


def test_with_folds_the_score_is_the_mean_over_those_of_the_search(project: Project, run_here, kept: Path) -> None:
    linear = confirmation.series_of(project, "linear", BASELINE)
    run_here([linear], folds=3, seeds=1)
    (found,) = linear.metrics(kept).values()
    with single_run.prepared_inputs([linear.job(0, kept)], kept.parent / "raw") as (prepared,):
        data = inputs.load_training(prepared.folder(linear.resolved) / "training")
    errors = []
    for fold in split_folds(data, 3, seed=3):
        x, y = np.column_stack([fold.training.x, np.ones(len(fold.training))]), fold.training.y
        weights = np.linalg.lstsq(x, y, rcond=None)[0]
        predicted = np.column_stack([fold.validation.x, np.ones(len(fold.validation))]) @ weights
        errors.append(np.abs(predicted - fold.validation.y).mean())
    assert found["val_mae"] == pytest.approx(np.mean(errors))


def test_candidates_are_ranked_by_their_means_and_compared_with_the_tests_of_scipy_and_statsmodels(
    project: Project, kept: Path
) -> None:
    baseline, trees, more = (of(project, each) for each in (BASELINE, TREES, MORE))
    values = {None: [3.0, 3.2, 3.1, 2.9, 3.3], 4: [2.8, 3.1, 2.9, 2.9, 3.0], 7: [2.0, 2.1, 2.3, 2.2, 1.9]}
    for configuration, runs in (baseline, trees, more):
        keep(runs, values[configuration.trial], kept)
    found = confirmation.confirm(baseline[1], [trees, more], Score("val_mae", higher_is_better=False), kept)
    assert found == json.loads(json.dumps(found))
    assert [each["trial"] for each in found["candidates"]] == [7, 4], "a lower error is better"
    assert (found["seeds"], found["baseline"]["mean"]) == ([8, 9, 10, 11, 12], pytest.approx(3.1))
    tests = [ttest_rel(values[each], values[None], alternative="less").pvalue for each in (7, 4)]
    expected = multipletests(tests, method="holm")[1]
    assert [each["p_value"] for each in found["candidates"]] == pytest.approx(expected)
    interval = ttest_rel(values[7], values[None]).confidence_interval()
    difference = found["candidates"][0]["difference"]
    assert (difference["low"], difference["high"]) == pytest.approx(tuple(interval))
    upside_down = confirmation.confirm(baseline[1], [trees, more], Score("val_mae", higher_is_better=True), kept)
    assert [each["trial"] for each in upside_down["candidates"]] == [4, 7]


@pytest.mark.parametrize("higher_is_better", [True, False])
def test_a_candidate_that_diverged_comes_last_and_the_others_are_compared(
    higher_is_better: bool, project: Project, kept: Path, capsys: pytest.CaptureFixture
) -> None:
    baseline, trees, more = (of(project, each) for each in (BASELINE, TREES, MORE))
    keep(baseline[1], [1.0, 1.1, 1.2, 1.1, 1.0], kept)
    keep(trees[1], [1.0, None, 1.0, 1.0, 1.0], kept)
    keep(more[1], [2.0, 2.2, 2.1, 2.3, 2.0] if higher_is_better else [0.1, 0.2, 0.1, 0.3, 0.2], kept)
    found = confirmation.confirm(baseline[1], [trees, more], Score("val_mae", higher_is_better), kept)
    best, last = found["candidates"]
    assert (best["trial"], last["trial"], last["p_value"]) == (7, 4, 1.0)
    assert best["p_value"] < 0.05
    assert np.isnan([last["mean"], last["values"][1], last["difference"]["low"]]).all()
    assert "warning: trial 4 has no finite val_mae with seed 9" in capsys.readouterr().err


def test_the_tuned_experiment_of_params_yaml_is_trained_with_the_same_seeds_unless_a_trial_has_its_settings(
    kept: Path,
) -> None:
    project = params.load(PARAMS)
    tuned = confirmation.series_of_tuned(project, "boston_mlp", {"boston", "boston_standard"}, [])
    assert (tuned.experiment, tuned.resolved.seed) == ("boston_mlp_tuned", 778)
    found = [
        confirmation.series_of_tuned(project, *arguments)
        for arguments in (
            ("boston_mlp", {"boston"}, []),  # no input of the search
            ("boston_mlp", {"boston_standard"}, [tuned]),
            ("digits_cnn", {"digits"}, []),  # there is no digits_cnn_tuned
        )
    ]
    assert found == [None, None, None]
    other = confirmation.series_of(project, "boston_mlp", Configuration(1, {"training.epochs": 9}))
    baseline = confirmation.series_of(project, "boston_mlp", BASELINE)
    for each, offset in ((baseline, 0.0), (other, 0.02), (tuned, 0.03)):
        keep(each, [0.8 + offset + 0.01 * seed for seed in range(SEEDS)], kept, "val_correlation")
    score = Score("val_correlation", higher_is_better=True)
    confirmed = confirmation.confirm(baseline, [(Configuration(1, {}), other)], score, kept, tuned)
    assert confirmed["tuned"]["experiment"] == "boston_mlp_tuned"
    assert confirmed["tuned"]["mean"] == pytest.approx(0.85)
    assert confirmed["tuned"]["difference"]["mean"] == pytest.approx(0.03)
    assert len(confirmed["candidates"]) == 1


def test_where_the_seed_changes_nothing_there_is_no_p_value(project: Project, kept: Path) -> None:
    baseline, trees, more = (of(project, each) for each in (BASELINE, TREES, MORE))
    keep(baseline[1], [1.0] * SEEDS, kept)
    keep(trees[1], [2.0] * SEEDS, kept)
    keep(more[1], [0.9, 0.8, 1.1, 0.7, 1.2], kept)
    found = confirmation.confirm(baseline[1], [trees, more], Score("val_mae", higher_is_better=True), kept)
    assert [each["trial"] for each in found["candidates"]] == [4, 7]
    assert [bool(np.isnan(each["p_value"])) for each in found["candidates"]] == [True, False]


def test_without_a_baseline_or_a_candidate_that_converged_there_is_nothing_to_compare(
    project: Project, kept: Path
) -> None:
    baseline, trees = of(project, BASELINE), of(project, TREES)
    keep(baseline[1], [1.0] * SEEDS, kept)
    keep(trees[1], [1.0, None, 1.0, 1.0, 1.0], kept)
    score = Score("val_mae", higher_is_better=False)
    with pytest.raises(ModelyardError, match=r"a training of each candidate diverged.* search again with --new"):
        confirmation.confirm(baseline[1], [trees], score, kept)
    with pytest.raises(ModelyardError, match="the baseline has no finite val_mae with seed 9"):
        confirmation.confirm(trees[1], [baseline], score, kept)


def test_finished_runs_are_not_repeated(project: Project, run_here, kept: Path) -> None:
    _, trees = of(project, TREES)
    assert len(run_here([trees], seeds=2)) == 2
    assert [outcome.job.resolved.seed for outcome in run_here([trees])] == [10, 11, 12]
    assert read_json(next(iter(trees.files(kept).values())))["seconds"] > 0


def test_a_setting_that_is_a_list_is_trained_as_in_params_yaml() -> None:
    project = params.load(PARAMS)
    stored = Configuration(3, {"model.filters": [32, 64]})  # a study keeps it as JSON
    assert confirmation.series_of(project, "digits_cnn", stored).resolved.experiment.model.filters == (32, 64)
