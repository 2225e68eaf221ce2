"""Runs over seeds: done once, kept in files, done again when settings or code change, and summarized."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from support.engines import Here
from support.paths import ROOT
from support.replications import NO_LIMIT, series_of

from modelyard import params
from modelyard.core.errors import ModelyardError
from modelyard.models import Runtime
from modelyard.params.project import PublishedValues
from modelyard.replication import series, single_run
from modelyard.replication.series import Series

PUBLISHED = {"boosting": PublishedValues(notebook="1", metrics={"mae": 0.0})}


def test_each_seed_is_run_once(project, run_here, kept):
    boosting = series_of(project, "boosting")
    outcomes = run_here([(boosting, 3)])
    assert sorted(outcome.job.resolved.seed for outcome in outcomes) == [7, 8, 9]
    runs = boosting.metrics(kept)
    assert sorted(runs) == [7, 8, 9]
    assert len({values["mae"] for values in runs.values()}) == 3
    assert run_here([(boosting, 3)]) == []
    assert [outcome.job.resolved.seed for outcome in run_here([(boosting, 4)])] == [10]


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"metrics": 1}', "<<<<<<< HEAD"])
def test_a_damaged_run_is_done_again(project, run_here, kept, content: str):
    linear = series_of(project, "linear")
    file = linear.job(0, kept).file
    file.parent.mkdir(parents=True)
    file.write_text(content)
    file.with_name("notes.json").write_text("{}")
    assert linear.metrics(kept) == {}
    assert [outcome.job.resolved.seed for outcome in run_here([(linear, 1)])] == [7]
    assert list(linear.metrics(kept)) == [7]


@pytest.mark.parametrize("content", ["", "experiment\nlinear\n", "\0"])
def test_an_earlier_summary_that_is_not_readable_is_written_anew(project, tmp_path, capsys, content: str):
    summary = series.summarize(project, {}, tmp_path)
    (tmp_path / "replication.csv").write_text(content)
    assert series.with_earlier_rows(summary, tmp_path / "replication.csv", project).empty
    assert "replication.csv: not what `modelyard replicate` writes" in capsys.readouterr().err


def test_the_key_changes_with_settings_and_runtime_and_not_with_descriptions(project):
    boosting = series_of(project, "boosting")
    assert series_of(project, "boosting", **{"model.n_estimators": 6}).key != boosting.key
    assert series_of(project, "boosting", scaling="minmax").key != boosting.key
    assert series_of(project, "boosting", splits=True).key != boosting.key
    assert Series("boosting", boosting.resolved, Runtime(threads=2)).key != boosting.key
    dataset = project.datasets["line"].model_copy(update={"description": "Other words."})
    described = project.model_copy(update={"datasets": {"line": dataset}})
    assert series_of(described, "boosting").key == boosting.key


def test_the_key_changes_with_the_code_and_the_libraries(project, monkeypatch):
    before = series_of(project, "boosting").key
    monkeypatch.setattr(series, "library_versions", lambda: {"keras": "0"})
    assert series_of(project, "boosting").key != before
    assert {"keras", "tensorflow", "scikit-learn", "numpy"} <= single_run.library_versions().keys()
    assert all(single_run.library_versions().values())
    monkeypatch.undo()
    monkeypatch.setattr(series, "code_checksums", lambda: {"models/boosting.py": "edited"})
    assert series_of(project, "boosting").key != before


def test_the_first_seed_of_every_series_is_run_before_the_second_of_any(project, kept):
    jobs = series.missing_jobs([(series_of(project, "boosting"), 2), (series_of(project, "linear"), 2)], kept)
    assert [job.resolved.seed for job in jobs] == [7, 7, 8, 8]
    assert {job.experiment for job in jobs[:2]} == {"boosting", "linear"}


def test_a_run_that_two_claims_need_is_done_once(project, kept):
    wanted = [(series_of(project, "linear"), 2), (series_of(project, "linear"), 3)]
    assert len(series.missing_jobs(wanted, kept)) == len(series.all_jobs(wanted, kept)) == 3


def test_with_splits_each_seed_has_other_test_samples(project, run_here, kept):
    fixed, with_splits = series_of(project, "linear"), series_of(project, "linear", splits=True)
    run_here([(fixed, 3), (with_splits, 3)])
    assert len({values["mae"] for values in fixed.metrics(kept).values()}) == 1
    assert len({values["mae"] for values in with_splits.metrics(kept).values()}) == 3
    assert fixed.metrics(kept)[7] == with_splits.metrics(kept)[7], "the first seeds are those of params.yaml"


def test_the_summary_compares_the_published_value_with_the_runs(project, run_here, kept):
    run_here([(series_of(project, "boosting"), 4)])
    errors = np.array([values["mae"] for values in series_of(project, "boosting").metrics(kept).values()])
    summary = series.summarize(project, PUBLISHED, kept).set_index("metric")
    row = summary.loc["mae"]
    assert set(summary.experiment) == {"boosting"}
    assert (row.seeds, row.least, row.most) == (4, errors.min(), errors.max())
    assert row["mean"] == pytest.approx(errors.mean())
    assert row.z == pytest.approx((0 - errors.mean()) / errors.std(ddof=1))
    assert row.inside is False
    assert series.published_text(row) == f"0 outside, z {row.z:+.1f}"
    assert series.published_text(summary.loc["r2"]) == ""


def test_a_row_has_the_digest_of_its_settings_whatever_the_code(project, run_here, kept, tmp_path, monkeypatch):
    run_here([(series_of(project, "linear"), 1)])
    series.summarize(project, {}, kept).to_csv(tmp_path / "replication.csv", index=False)
    monkeypatch.setattr(series, "code_checksums", lambda: {"models/linear.py": "edited"})
    (row, *_) = series.read_summary(tmp_path / "replication.csv").itertuples()
    assert not series.has_other_settings(row, project)
    input_settings = project.inputs["line"].model_copy(update={"scaling": "minmax"})
    assert series.has_other_settings(row, project.model_copy(update={"inputs": {"line": input_settings}}))
    assert series.has_other_settings(row._replace(splits=True), project)


def test_a_digest_of_digits_alone_is_read_as_text(tmp_path):
    names = ",".join(series.COLUMNS)
    (tmp_path / "replication.csv").write_text(f"{names}\nlinear,False,mae,1,2.0,,,,2.0,2.0,,,,0123456789012345\n")
    assert series.read_summary(tmp_path / "replication.csv").settings.tolist() == ["0123456789012345"]


def test_settings_that_were_not_recorded_count_as_others(project, run_here, kept, tmp_path):
    run_here([(series_of(project, "linear"), 1)])
    series.summarize(project, {}, kept).assign(settings=None).to_csv(tmp_path / "replication.csv", index=False)
    assert all(
        series.has_other_settings(row, project)
        for row in series.read_summary(tmp_path / "replication.csv").itertuples()
    )


def test_the_committed_summary_is_of_the_present_settings():
    project = params.load(ROOT / "params.yaml")
    table = series.read_summary(ROOT / "reports" / "replication.csv")
    assert len(table) > 50
    assert [row.experiment for row in table.itertuples() if series.has_other_settings(row, project)] == []


def test_a_single_run_has_no_interval_and_no_z(project, run_here, kept):
    run_here([(series_of(project, "boosting"), 1)])
    row = series.summarize(project, PUBLISHED, kept).set_index("metric").loc["mae"]
    assert pd.isna([row.sd, row.low, row.high, row.z]).all()


def test_an_earlier_summary_keeps_its_rows_of_experiments_that_were_not_run_here(project, run_here, kept, tmp_path):
    run_here([(series_of(project, "linear"), 1), (series_of(project, "boosting"), 1)])
    summary, file = series.summarize(project, {}, kept), tmp_path / "replication.csv"
    earlier = summary.assign(seeds=9)
    gone = earlier[earlier.experiment == "linear"].assign(experiment="deleted")
    pd.concat([earlier, gone]).to_csv(file, index=False)
    combined = series.with_earlier_rows(summary[summary.experiment == "boosting"], file, project)
    assert combined.groupby("experiment").seeds.unique().to_dict() == {"boosting": [9], "linear": [9]}


@pytest.mark.parametrize("change", [{"seeds": 1}, {"seeds": 9, "settings": "another"}])
def test_earlier_rows_give_way_unless_they_have_more_seeds_of_the_same_settings(
    project, run_here, kept, tmp_path, change: dict
):
    run_here([(series_of(project, "boosting"), 1)])
    summary, file = series.summarize(project, {}, kept), tmp_path / "replication.csv"
    summary.assign(mean=0.0, **change).to_csv(file, index=False)
    pd.testing.assert_frame_equal(series.with_earlier_rows(summary, file, project), summary)


def test_a_failed_run_is_not_kept_and_is_tried_again(project, kept, tmp_path):
    failing = Here(lambda call: ValueError("ValueError: no"))
    wanted = [(series_of(project, "linear"), 2)]
    jobs = series.missing_jobs(wanted, kept)
    outcomes = list(series.run_jobs(jobs, tmp_path / "raw", failing, NO_LIMIT))
    assert [outcome.error for outcome in outcomes] == ["ValueError: no"] * 2
    assert series.missing_jobs(wanted, kept) == jobs
    assert not kept.exists()


def test_predictions_that_were_not_written_to_their_end_are_not_there(project, kept, tmp_path, monkeypatch):
    def stopped(file, **_):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez_compressed", stopped)
    engine = Here(lambda call: {"metrics": {"mae": 1.0}, "seconds": 1.0, "predictions": {"truth": np.zeros(3)}})
    (job,) = series.missing_jobs([(replace(series_of(project, "linear"), keeps_predictions=True), 1)], kept)
    with pytest.raises(KeyboardInterrupt):
        list(series.run_jobs([job], tmp_path / "raw", engine, NO_LIMIT))
    assert not job.predictions.exists()
    assert not list(kept.rglob("*.part"))


def test_a_run_that_diverged_is_kept_and_has_no_statistics(project, kept, tmp_path, capsys):
    values = iter([{"mae": 1.0, "r2": 0.5}, {"mae": float("nan"), "r2": 0.5}])
    diverging = Here(lambda call: {"metrics": next(values), "seconds": 1.0})
    linear = series_of(project, "linear")
    list(series.run_jobs(series.missing_jobs([(linear, 2)], kept), tmp_path / "raw", diverging, NO_LIMIT))
    assert np.isnan(linear.metrics(kept)[8]["mae"])
    assert series.missing_jobs([(linear, 2)], kept) == []
    summary = series.summarize(project, {}, kept)
    assert "mae" not in set(summary.metric)
    assert "linear: no statistics of mae, because it is not finite with seed 8" in capsys.readouterr().err
    assert summary.set_index("metric").loc["r2"].seeds == 2


def test_a_run_keeps_its_predictions_where_a_claim_needs_them(project, kept, run_here):
    without = series_of(project, "linear")
    crossed = replace(without, keeps_predictions=True)
    run_here([(without, 2)])
    assert not list(kept.rglob("*.npz"))
    assert len(series.missing_jobs([(crossed, 2), (without, 2)], kept)) == 2
    run_here([(crossed, 2), (without, 2)])
    damaged = crossed.job(0, kept)
    content = damaged.predictions.read_bytes()
    damaged.predictions.write_bytes(content[: len(content) // 2])  # as a power cut leaves it
    assert [job.file for job in series.missing_jobs([(crossed, 2)], kept)] == [damaged.file]
    damaged.predictions.write_bytes(content)
    for seed, values in without.metrics(kept).items():
        assert crossed.bound_metric(seed, "mae", kept).value == pytest.approx(values["mae"])
        assert len(crossed.bound_metric(seed, "mae", kept).arrays[0]) == 30


def test_a_first_number_of_samples_excludes_new_splits(project):
    first = series_of(project, "linear", splits=True, **{"split.first": 50})
    with pytest.raises(ModelyardError, match=r"split\.first: 50 goes with test samples that stay"):
        first.resolved.with_seed_offset(1, splits=True)
